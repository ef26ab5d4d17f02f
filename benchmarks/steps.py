"""A training step: our loop beside a plain PyTorch loop, in processes that take turns.

Both read the same crops through the same augmentation in one background worker, with the same
network, precision, dropout seeds and threads; losses of the first steps must agree. Ours runs as a
recipe runs it (`fit`, channels last, freed memory kept). Work of the processor is that of the
process: with ours the images are in it, with the plain loop they are in the worker's. Where a GPU
is present both run there too, in bf16, and the share of a step spent waiting for images is told.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import torch
from torch import nn

from benchmarks.sample_store import load_store, write_store
from benchmarks.timing import Row, because, profile_of, row_of
from overread.imaging import ViewSpec
from overread.inference import MemberSpec, member_loss, member_network
from overread.inference.examples import MemberExamples, member_examples
from overread.learning import FitSpec, feed, fit, loop
from overread.learning.log import read_log
from overread.learning.order import Order
from overread.models import flush_denormals, keep_memory, use_threads

__all__ = ["rows"]

STEPS, SKIPPED, TURNS = 10, 3, 2
AGREE = 0.02  # of the loss, over the first steps; optimisers group weights differently
SEED = 3
Moment = tuple[float, float]
NETWORKS: Mapping[str, Mapping[str, tuple[int, int]]] = {  # {device: {backbone: batch, px}}
    "cpu": {"tf_efficientnet_lite0": (4, 64), "convnext_nano": (4, 64)},
    "cuda": {"tf_efficientnet_lite0": (16, 224), "convnext_nano": (16, 224)},
}
PRECISION = {"cpu": "fp32", "cuda": "bf16"}


def views_of(size: int) -> dict[str, ViewSpec]:
    """Return three views of 15, 15 and 10 slices."""
    count: dict[str, Any] = {"count": 10, "pick": "level"}
    return {
        name: ViewSpec(
            preset="v9", series=(series,), around=around, slices=slices, pixels=(size, size)
        )
        for name, series, around, slices in (
            ("t1", "sagittal_t1", "discs", {"count": 15}),
            ("t2", "sagittal_t2", "discs", {"count": 15}),
            ("ax", "axial_t2", "canal", count),
        )
    }


def member_of(backbone: str, batch: int, device: str, *, studies: int) -> MemberSpec:
    """Return the published architecture A around a backbone."""
    units = studies * 5
    return MemberSpec(
        views=("t1", "t2", "ax"),
        mirror="none",
        model={"use": "slice_attention", "preset": "A", "backbone": backbone},
        augment={"preset": "D"},
        fit=FitSpec(
            epochs=-(-STEPS // (units // batch)),
            batch=batch,
            lr=1e-5,
            schedule="constant",
            warmup=0,
            clip=1.0,
            channels_last=True,
            precision=PRECISION[device],
            device=device,
            state_every=1e6,
            log_every=1,
        ),
    )


def rows(
    folder: Path,
    *,
    studies: int = 4,
    turns: int = TURNS,
    networks: Mapping[str, Mapping[str, tuple[int, int]]] = NETWORKS,
) -> Iterator[Row]:
    """Yield a row for each network, on the CPU and where there is one on the GPU."""
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        for backbone, (batch, size) in networks[device].items():
            store = folder / f"{size}"
            if not store.exists():
                write_store(store, views_of(size), studies)
            settings = {
                "store": str(store),
                "backbone": backbone,
                "batch": batch,
                "size": size,
                "device": device,
                "studies": studies,
            }
            yield _row(settings, turns)


def _row(settings: dict[str, Any], turns: int) -> Row:
    """Run both sides in turn and compare their losses."""
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "plain": []}
    for _ in range(turns):
        for side, told in found.items():
            told.append(_side(side, settings))
    ours, plain = (told[0]["losses"][:SKIPPED] for told in found.values())
    gap = max(abs(a - b) / abs(b) for a, b in zip(ours, plain, strict=True))
    if gap > AGREE:
        raise ValueError(f"losses of the first steps differ: {ours} and {plain}")
    sides = {"": found["ours"], "plain PyTorch loop": found["plain"]}
    walls, works = (
        {
            name: [step for one in told for step in one[key][SKIPPED:]]
            for name, told in sides.items()
        }
        for key in ("steps_ms", "works_ms")
    )
    waits = median(_share(one) for one in found["ours"])
    device = settings["device"]
    saving = max(found["ours"][0]["steps_ms"]) - median(found["ours"][0]["steps_ms"])
    row = row_of(
        f"a training step of {settings['backbone']}, {settings['batch']} x 40 slices of "
        f"{settings['size']} px, {PRECISION[device]} on {device}",
        "step",
        walls,
        works=works,
        target=2.0 if device == "cuda" else 1.3,
        note=f"losses agree to {gap:.1e}; ours waits for images {waits:.0%} of a step; a state, "
        f"which ours saves after each epoch, takes {saving:.0f} ms at most; peak "
        f"{found['ours'][0]['peak_mb']} and {found['plain'][0]['peak_mb']} MiB",
    )
    if row.reached is not False:
        return row
    profile = _side("profile", settings)["profile"]
    return because(replace(row, profile=profile), "both sides spend most of a step in the network")


def _share(told: dict[str, Any]) -> float:
    """Return the share of the steps that was spent waiting for images."""
    steps = told["steps_ms"][SKIPPED:]
    return float(sum(told["waits_ms"][-len(steps) :]) / sum(steps))


def _side(side: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Run one side in a process of its own."""
    done = subprocess.run(  # noqa: S603 - a module of ours
        [sys.executable, "-m", "benchmarks.steps", side, json.dumps(settings)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@contextmanager
def watched_feed(waits: list[float]) -> Iterator[None]:
    """Note for how long the loop waits for each batch."""

    @contextmanager
    def ahead(*arguments: Any, **options: Any) -> Iterator[Iterator[Any]]:
        with feed.ahead(*arguments, **options) as batches:
            yield _noted(batches, waits)

    with mock.patch.object(loop, "ahead", ahead):
        yield


def _noted(batches: Iterator[Any], waits: list[float]) -> Iterator[Any]:
    while True:
        start = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            return
        waits.append((time.perf_counter() - start) * 1e3)
        yield batch


def _prepared(settings: dict[str, Any]) -> tuple[MemberSpec, MemberExamples, nn.Module, Any]:
    views = views_of(settings["size"])
    store = load_store(Path(settings["store"]), views)
    member = member_of(
        settings["backbone"], settings["batch"], settings["device"], studies=settings["studies"]
    )
    examples = member_examples(member, views, store.rubric, store.cuts, store.dataset.labels)
    network = member_network(member, views, store.rubric, seed=SEED)
    return member, examples, network, member_loss(member, store.rubric)


def run_ours(settings: dict[str, Any]) -> dict[str, Any]:
    """Train with `fit`, set up as a run sets itself up."""
    flush_denormals()
    keep_memory()
    use_threads(os.cpu_count() or 1)
    member, examples, network, loss = _prepared(settings)
    moments: list[Moment] = []
    waits: list[float] = []

    def note(stage: str, done: int, total: int) -> None:
        del stage, done, total
        moments.append(_moment(settings))

    with tempfile.TemporaryDirectory() as folder, watched_feed(waits):
        place = Path(folder)
        fit(network, examples, member.fit, loss=loss, seed=SEED, folder=place, on_progress=note)
        log = [one for one in read_log(place) if one["event"] == "step"]
    return _told(moments, [one["total"] for one in log], waits)


def run_plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Train as a tutorial would, with a loader's worker process."""
    torch.set_num_threads(os.cpu_count() or 1)
    member, examples, network, loss = _prepared(settings)
    spec, device = member.fit, torch.device(settings["device"])
    order = Order(len(examples), spec.batch, 1, spec.epochs, SEED)
    network = network.to(device).train()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=spec.lr, weight_decay=spec.weight_decay, betas=spec.betas
    )
    loader = torch.utils.data.DataLoader(
        _Steps(examples, order), batch_size=None, num_workers=1, pin_memory=device.type == "cuda"
    )
    moments, losses = list[Moment](), list[float]()
    for step, given in enumerate(loader):
        batch = {name: value.to(device) for name, value in given.items()}
        torch.manual_seed(order.dropout_seed(step, 0))
        with torch.autocast(device.type, torch.bfloat16, enabled=spec.precision == "bf16"):
            outputs = network(batch)
        total = loss(outputs, batch)["total"]
        optimiser.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        losses.append(float(total.detach()))
        moments.append(_moment(settings))
    return _told(moments, losses, [])


class _Steps(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """The batches of a fit, in its order and with its chance."""

    def __init__(self, examples: MemberExamples, order: Order) -> None:
        self.examples = examples
        self.order = order

    def __len__(self) -> int:
        return self.order.steps

    def __getitem__(self, step: int) -> dict[str, torch.Tensor]:
        if step >= len(self):
            raise IndexError(step)
        generator = self.order.generator(step, 0)
        return self.examples.batch(self.order.indices(step)[0], generator=generator)


def _moment(settings: dict[str, Any]) -> Moment:
    """Return the time and what the processor worked for this process, s, once all is computed."""
    if settings["device"] == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


def _told(moments: list[Moment], losses: list[float], waits: list[float]) -> dict[str, Any]:
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))
    steps, works = (
        [(later[kind] - sooner[kind]) * 1e3 for sooner, later in pairwise(moments)]
        for kind in range(2)
    )
    told = {"steps_ms": steps, "works_ms": works, "losses": losses}
    return {**told, "waits_ms": waits, "peak_mb": peak}


def run_profile(settings: dict[str, Any]) -> dict[str, Any]:
    """Tell where the time of ours goes."""
    return {"profile": profile_of(lambda: run_ours(settings))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    runs = {"ours": run_ours, "plain": run_plain, "profile": run_profile}
    parser.add_argument("side", choices=runs)
    parser.add_argument("settings", type=json.loads)
    asked = parser.parse_args()
    print(json.dumps(runs[asked.side](asked.settings)))
