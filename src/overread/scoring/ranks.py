"""Mid-ranks under weights, for many replicates; a few at a time, so that memory stays small."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ranking", "in_chunks"]

Floats = NDArray[np.float64]
CELLS_AT_ONCE = 125_000  # 1 MB of doubles stays in the cache


def in_chunks(weighed: Callable[[Floats], Floats], num_units: int) -> Callable[[Floats], Floats]:
    """Return `weighed`, called for so few replicates that arrays stay in the cache."""
    step = max(1, CELLS_AT_ONCE // max(1, num_units))

    def chunked(weights: Floats) -> Floats:
        starts = range(0, len(weights), step)
        return np.concatenate([weighed(weights[start : start + step]) for start in starts])

    return chunked


@dataclass(frozen=True, eq=False)
class Ranking:
    """Values in order, with what is needed to rank them under any weights.

    Attributes:
        order: (n,) indices that sort the values.
        starts: where each group of equal values begins in that order.
        group: (n,) group of each value in that order.
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    group: NDArray[np.int64]

    @staticmethod
    def of(values: Floats) -> "Ranking":
        """Rank values; equal ones share a rank."""
        order = np.argsort(values, kind="stable")
        firsts = np.diff(values[order], prepend=-np.inf) > 0
        return Ranking(order, np.flatnonzero(firsts), np.cumsum(firsts) - 1)

    @property
    def ties(self) -> bool:
        """Whether some values are equal."""
        return len(self.starts) < len(self.order)

    def mass(self, units: Floats) -> Floats:
        """Sum (replicates, n) weights, in this order, over groups of equal values."""
        return np.add.reduceat(units, self.starts, axis=1) if self.ties else units

    def middle(self, units: Floats) -> Floats:
        """Return (replicates, n) mid-ranks for weights in this order.

        A unit of weight 2 ranks as two equal units would (up to a constant).
        """
        mass = self.mass(units)
        middle = np.cumsum(mass, axis=1)
        middle -= mass / 2
        return middle[:, self.group] if self.ties else middle
