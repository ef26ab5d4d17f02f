"""Running means of losses, throughput and the time that is left."""

import time

import torch
from torch import Tensor

__all__ = ["SPEEDS", "Meter"]

SPEEDS = frozenset({"examples_per_second", "seconds_left"})


class Meter:
    """Adds up steps between reports; values stay on the device until a report."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self._clear()

    def add(self, parts: dict[str, Tensor], examples: int) -> None:
        """Take one step: the parts of its loss, and how many examples it had."""
        self.left -= 1
        self.steps += 1
        self.examples += examples
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value

    def take(self) -> dict[str, float]:
        """Return the mean of each part since the last time, examples a second, seconds left."""
        seconds = max(time.monotonic() - self.since, 1e-9)
        means = {name: float(value) / self.steps for name, value in self.sums.items()}
        speed = {
            "examples_per_second": round(self.examples / seconds, 3),
            "seconds_left": round(self.left * seconds / self.steps, 1),
        }
        self._clear()
        return means | speed

    def _clear(self) -> None:
        self.since = time.monotonic()
        self.steps = 0
        self.examples = 0
        self.sums: dict[str, Tensor] = {}
