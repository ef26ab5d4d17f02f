"""The loop: examples and a loss turn a network into a better one.

It knows nothing of images, grades or recipes. What happens in step k depends on the seed, k and the
state before it only, so a fit that is killed anywhere goes on as if nothing had been.
"""

import logging
import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from overread.learning.device import to_device
from overread.learning.examples import (
    Batch,
    Examples,
    Loss,
    Measure,
    Progress,
    call_network,
    takes_image,
)
from overread.learning.feed import ahead
from overread.learning.group import Group
from overread.learning.log import FitLog
from overread.learning.meter import SPEEDS, Meter
from overread.learning.mixup import mixup
from overread.learning.optimise import rate, set_rate
from overread.learning.order import Order
from overread.learning.spec import FitSpec
from overread.learning.state import drop_states, latest_state, save_network, save_state
from overread.learning.statistics import joined_statistics
from overread.learning.training import FitError, Training
from overread.learning.validate import validate

__all__ = ["fit"]

NETWORK = "network.safetensors"
_log = logging.getLogger(__name__)


def fit(  # noqa: PLR0913 - all but the first six have defaults
    network: nn.Module,
    examples: Examples,
    spec: FitSpec,
    *,
    loss: Loss,
    seed: int,
    folder: Path,
    validation: Examples | None = None,
    measure: Measure | None = None,
    shares: Sequence[float] | None = None,
    on_progress: Progress | None = None,
) -> None:
    """Train a network; go on where the folder's state ends, or do nothing where it is finished.

    As one of a group (`group.joined`), this process takes its share of the batches of each step.
    All must call it; the folder of the first counts, the folders of others are worth nothing.

    On a CPU a fit that was killed and resumed ends with the same bytes as one that was not, given
    as many torch threads; the log records their number.

    Args:
        network: changed in place; at the end it has the weights that were saved.
        examples: to learn from.
        spec: settings.
        loss: (outputs, batch) -> {"total": ..., parts for the log}.
        seed: of order, augmentation and dropout.
        folder: gets log.jsonl, states, and at the end network.safetensors.
        validation: looked at after each epoch, without augmentation.
        measure: of the outputs for `validation`, smaller is better; None = the mean loss.
        shares: how often each example is drawn, relative to the others; None = once an epoch.
        on_progress: told ("fit", steps done, steps).

    Raises:
        FitError: if the examples are none, the loss is not finite, or the folder is another fit's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    validation = validation if validation is not None and len(validation) else None
    _check(network, examples, spec, validation)
    chances = None if shares is None else tuple(shares)
    order = Order(len(examples), spec.batch, spec.accumulate, spec.epochs, seed, chances)
    training = Training(network, spec, order)
    try:
        if training.device.tell_all((folder / NETWORK).exists()):
            training.restore_finished(folder / NETWORK)
            return
        with FitLog(folder, spec) as log, torch.random.fork_rng():
            run = _Run(examples, spec, order, loss, folder, log, validation, measure, on_progress)
            _begin(run, training)
            _steps(run, training)
            training.settle()
            save_network(folder / NETWORK, network, fingerprint=training.fingerprint)
            log.write("end", step=training.step, of=order.steps, best=training.best)
        drop_states(folder)
    finally:
        training.device.leave()


@dataclass(frozen=True, eq=False)
class _Run:
    """What stays the same from step to step."""

    examples: Examples
    spec: FitSpec
    order: Order
    loss: Loss
    folder: Path
    log: FitLog
    validation: Examples | None
    measure: Measure | None
    on_progress: Progress | None


def _check(
    network: nn.Module, examples: Examples, spec: FitSpec, validation: Examples | None
) -> None:
    if not len(examples):
        raise FitError("no examples to learn from; expected one at least")
    if spec.early_stop is not None and validation is None:
        raise FitError("early_stop needs validation examples; give some or set early_stop: null")
    if spec.mixup and takes_image(network):
        raise FitError("mixup blends grades, not points; set mixup: 0 for a key-point network")


def _begin(run: _Run, training: Training) -> None:
    """Go on from the newest state, if there is one, and say so in the log."""
    device = training.device
    saved = device.tell_all(latest_state(run.folder) if device.group.first else None)
    threads = torch.get_num_threads()
    about = {"of": run.order.steps, "threads": threads, "torch": torch.__version__}
    if device.group.size > 1:
        about["processes"] = device.group.size
    if saved is None:
        run.log.write("begin", step=0, device=str(training.device.device), **about)
        return
    training.restore(saved)
    note = f"resumed at step {saved.step} of {run.order.steps}"
    before = saved.values["threads"]
    if before != threads:
        note += f"; {threads} torch threads, {before} before: the last digits may differ"
        _log.warning(note)
    run.log.write("resume", step=saved.step, note=note, **about)


def _steps(run: _Run, training: Training) -> None:
    """Take all steps that are left; save the state from time to time and after each epoch."""
    left = range(training.step, run.order.steps)
    meter = Meter(run.order.steps - training.step)
    saved = time.monotonic()
    group = training.device.group
    with ahead(lambda step: _parts(run, step, group), left, workers=run.spec.workers) as feed:
        for parts in feed:
            if training.stopped:
                return
            step = training.step
            lr = run.spec.lr * rate(run.spec, step, run.order.steps)
            meter.add(_step(run, training, parts, lr), sum(map(len, run.order.indices(step))))
            training.step += 1
            ends = run.order.ends_epoch(step)
            if ends or training.step % run.spec.log_every == 0:
                _report(run, training, meter, lr)
            if ends:
                _validate(run, training)
            if group.first and (ends or time.monotonic() - saved >= run.spec.state_every):
                save_state(run.folder, training.state())
                saved = time.monotonic()


class _Part(NamedTuple):
    """A batch of a step: its number, and its share of the step's loss."""

    number: int
    share: float
    batch: Batch


def _parts(run: _Run, step: int, group: Group) -> list[_Part]:
    """Make this process's batches of a step; runs in a background thread.

    A process without any takes the first, with a share of nothing: the others wait for it.
    """
    indices = run.order.indices(step)
    mine = group.share(len(indices))
    share = 1 / len(indices) if mine else 0.0
    return [_Part(part, share, _batch(run, step, part, indices[part])) for part in mine or (0,)]


def _batch(run: _Run, step: int, part: int, indices: list[int]) -> Batch:
    generator = run.order.generator(step, part)
    batch = run.examples.batch(indices, generator=generator)
    if not run.spec.mixup:
        return batch
    share, alpha = run.spec.mixup, run.spec.mixup_alpha
    return mixup(batch, probability=share, alpha=alpha, generator=generator)


def _step(run: _Run, training: Training, parts: list[_Part], lr: float) -> dict[str, Tensor]:
    """Take one step; return the mean of each part of the loss, as far as it was computed here."""
    training.begin_step(run.order)
    device = training.device
    set_rate(training.optimiser, lr)
    training.optimiser.zero_grad(set_to_none=True)
    image = takes_image(training.network)
    means: dict[str, Tensor] = {}
    with joined_statistics(training.network, device, idle=not parts[0].share):
        for part in parts:
            torch.manual_seed(run.order.dropout_seed(training.step, part.number))
            moved = to_device(part.batch, device.device, channels_last=run.spec.channels_last)
            with device.silent(wanted=part is not parts[-1]):
                losses = run.loss(call_network(device.network, moved, image=image), moved)
                device.backward(losses["total"] * part.share)
            for name, value in losses.items():
                means[name] = means.get(name, 0) + value.detach() * part.share
    device.step()
    if training.average is not None:
        training.average.update(training.network)
    return means


def _report(run: _Run, training: Training, meter: Meter, lr: float) -> None:
    """Log what happened since the last report; stop where the loss is no number."""
    numbers = _of_all(training, meter.take())
    epoch = run.order.epoch(training.step - 1)
    run.log.numbers("step", training.step, {**numbers, "lr": lr}, epoch=epoch, of=run.order.steps)
    if run.on_progress is not None:
        run.on_progress("fit", training.step, run.order.steps)
    if not math.isfinite(numbers["total"]):
        raise FitError(
            f"{run.folder.name}: the loss is {numbers['total']} at step {training.step}; expected "
            "a finite number: lower lr, set clip, try precision fp32, or look for bad pixels"
        )


def _of_all(training: Training, numbers: dict[str, float]) -> dict[str, float]:
    """Add up what the processes computed; speed is told by the first."""
    heard = training.device.hear_all(numbers)
    return numbers | {
        name: sum(one[name] for one in heard) for name in numbers if name not in SPEEDS
    }


def _validate(run: _Run, training: Training) -> None:
    if run.validation is None:
        return
    lent = training.average.lent(training.network) if training.average else nullcontext()
    with lent:
        numbers = {}
        if training.device.group.first:
            numbers = validate(training, run.validation, run.loss, run.measure)
        numbers = training.device.tell_all(numbers)
    training.judge(numbers["measure"])
    epoch = run.order.epoch(training.step - 1)
    run.log.numbers("validation", training.step, numbers, epoch=epoch)
