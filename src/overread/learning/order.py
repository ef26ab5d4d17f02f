"""Which examples come when, and every seed, as functions of (seed, step): nothing is remembered.

So a fit that is cut off anywhere goes on with the very numbers it would have drawn.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

import torch

__all__ = ["Order", "seed_for"]


def seed_for(*parts: int | str) -> int:
    """Return a seed of 63 bits that depends on all parts.

    Example:
        >>> seed_for(7, "order", 0) == seed_for(7, "order", 1)
        False
    """
    words = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "little") >> 1


@dataclass(frozen=True)
class Order:
    """The order of a fit.

    Attributes:
        examples: how many there are.
        batch: examples in a batch.
        accumulate: batches in a step; the last step of an epoch may have fewer.
        epochs: passes.
        seed: of everything.
        shares: how often each example is drawn, relative to the others; as many are drawn in an
            epoch as there are, with replacement. None = each comes once an epoch.
    """

    examples: int
    batch: int
    accumulate: int
    epochs: int
    seed: int
    shares: tuple[float, ...] | None = None

    @property
    def batches(self) -> int:
        """Batches in an epoch: whole ones only, unless the only one is incomplete."""
        return max(1, self.examples // self.batch)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in an epoch."""
        return math.ceil(self.batches / self.accumulate)

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.steps_per_epoch * self.epochs

    def epoch(self, step: int) -> int:
        """Return the epoch of a step, from 0."""
        return step // self.steps_per_epoch

    def ends_epoch(self, step: int) -> bool:
        """Return whether the step is the last of its epoch."""
        return (step + 1) % self.steps_per_epoch == 0

    def indices(self, step: int) -> list[list[int]]:
        """Return the examples of each batch of a step."""
        seed = seed_for(self.seed, "order", self.epoch(step))
        order = (
            _permutation(self.examples, seed) if self.shares is None else _drawn(self.shares, seed)
        )
        first = step % self.steps_per_epoch * self.accumulate
        last = min(first + self.accumulate, self.batches)
        return [list(order[i * self.batch : (i + 1) * self.batch]) for i in range(first, last)]

    def generator(self, step: int, part: int) -> torch.Generator:
        """Return the generator that augments batch `part` of a step."""
        return torch.Generator().manual_seed(seed_for(self.seed, "augment", step, part))

    def dropout_seed(self, step: int, part: int) -> int:
        """Return the seed of what is random inside the network in batch `part` of a step."""
        return seed_for(self.seed, "dropout", step, *([part] if part else []))


@lru_cache(maxsize=4)
def _permutation(count: int, seed: int) -> tuple[int, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randperm(count, generator=generator).tolist())


@lru_cache(maxsize=4)
def _drawn(shares: tuple[float, ...], seed: int) -> tuple[int, ...]:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.tensor(shares, dtype=torch.float64)
    return tuple(
        torch.multinomial(weights, len(shares), replacement=True, generator=generator).tolist()
    )
