"""Everything of a fit that changes, so that it can be saved and put back as one."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from overread.learning.average import MovingAverage
from overread.learning.device import Device
from overread.learning.optimise import build_optimiser, is_encoder
from overread.learning.order import Order
from overread.learning.spec import FitSpec
from overread.learning.state import SavedState, optimiser_tensors, read_network, restore_optimiser

__all__ = ["FitError", "Training"]


class FitError(RuntimeError):
    """A fit cannot begin, go on or end."""


class Training:
    """A network in training.

    Attributes:
        network: the plain network; `device.network` is the same as it is called.
        optimiser, average, device: what trains it; `average` is None where there is none.
        step: that comes next.
        best: the smallest validation so far, with its weights in `best_weights`.
        waited: epochs since then.
    """

    def __init__(self, network: nn.Module, spec: FitSpec, order: Order) -> None:
        self.spec = spec
        self.network = network
        if spec.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = build_optimiser(network, spec)
        self.device = Device(spec, network, self.optimiser)
        self.average = MovingAverage(network, spec.ema) if spec.ema else None
        self.fingerprint = _fingerprint(network, spec, order)
        self.step = 0
        self.best: float | None = None
        self.best_weights: dict[str, Tensor] = {}
        self.waited = 0

    def begin_step(self, order: Order) -> None:
        """Set the mode of the step: frozen encoders stay as they are."""
        self.network.train()
        if not self.spec.freeze:
            return
        frozen = order.epoch(self.step) < self.spec.freeze
        for name, weight in self.network.named_parameters():
            if is_encoder(name):
                weight.requires_grad_(not frozen)
        for name, module in self.network.named_modules():
            if frozen and is_encoder(name):
                module.eval()

    @property
    def stopped(self) -> bool:
        """Whether validation has not become better for too long."""
        return self.spec.early_stop is not None and self.waited >= self.spec.early_stop

    def judge(self, value: float) -> None:
        """Take a validation; keep the weights if it is the best so far."""
        if self.spec.early_stop is None:
            return
        if self.best is None or value < self.best:
            self.best, self.waited = value, 0
            kept = self.network.state_dict() if self.average is None else self.average.values
            self.best_weights = {name: item.detach().clone() for name, item in kept.items()}
        else:
            self.waited += 1

    def settle(self) -> None:
        """Give the network what the fit ends with: the best weights, the average or the last."""
        if self.best_weights:
            self.network.load_state_dict(self.best_weights)
        elif self.average is not None:
            self.average.give(self.network)

    def restore_finished(self, path: Path) -> None:
        """Take the weights that a finished fit left.

        Raises:
            FitError: if they are those of another fit.
        """
        weights, fingerprint = read_network(path)
        self._check(fingerprint)
        self.network.load_state_dict(weights)

    def state(self) -> SavedState:
        """Return everything that changes."""
        parts: dict[str, dict[str, Tensor]] = {
            "network": self.network.state_dict(),
            "optimiser": optimiser_tensors(self.optimiser),
            "average": self.average.values if self.average else {},
            "best": self.best_weights,
        }
        tensors = {f"{part}.{n}": v for part, named in parts.items() for n, v in named.items()}
        values: dict[str, Any] = {
            "fingerprint": self.fingerprint,
            "averaged": self.average.updates if self.average else 0,
            "best": self.best,
            "waited": self.waited,
            "scale": self.device.scale(),
            "threads": torch.get_num_threads(),
        }
        return SavedState(self.step, tensors, values)

    def restore(self, saved: SavedState) -> None:
        """Go on from a saved state.

        Raises:
            FitError: if it is the state of another fit.
        """
        self._check(saved.values["fingerprint"])
        self.step = saved.step
        self.network.load_state_dict(saved.part("network"))
        restore_optimiser(self.optimiser, saved.part("optimiser"))
        if self.average is not None:
            self.average.restore(saved.part("average"), saved.values["averaged"])
        self.best, self.waited = saved.values["best"], saved.values["waited"]
        device = self.device.device
        self.best_weights = {name: v.to(device) for name, v in saved.part("best").items()}
        self.device.restore_scale(saved.values["scale"])

    def _check(self, fingerprint: str) -> None:
        if fingerprint != self.fingerprint:
            raise FitError(
                "the folder holds another fit (other settings, seed, number of examples or "
                "network); delete the folder to begin anew, or take another"
            )


def _fingerprint(network: nn.Module, spec: FitSpec, order: Order) -> str:
    shapes = {name: list(value.shape) for name, value in network.state_dict().items()}
    drawn = [] if order.shares is None else [order.shares]
    words = json.dumps(
        [spec.identity(), order.examples, order.seed, shapes, *drawn], sort_keys=True
    )
    return hashlib.sha256(words.encode()).hexdigest()
