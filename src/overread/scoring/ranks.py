"""Weighted ranks, and replicates taken a few at a time so that memory stays small."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["in_chunks", "weighted_ranks"]

Floats = NDArray[np.float64]
CELLS_AT_ONCE = 2_000_000  # 16 MB of doubles


def in_chunks(weighed: Callable[[Floats], Floats], num_units: int) -> Callable[[Floats], Floats]:
    """Return `weighed`, called for so few replicates that no array passes about 16 MB."""
    step = max(1, CELLS_AT_ONCE // max(1, num_units))

    def chunked(weights: Floats) -> Floats:
        starts = range(0, len(weights), step)
        return np.concatenate([weighed(weights[start : start + step]) for start in starts])

    return chunked


def weighted_ranks(values: Floats) -> Callable[[Floats], Floats]:
    """Return a function from (replicates, n) unit weights to mid-ranks of `values` (n,).

    A unit of weight 2 ranks as two equal units would (up to a constant).
    """
    order = np.argsort(values, kind="stable")
    firsts = np.r_[True, np.diff(values[order]) > 0]
    starts = np.flatnonzero(firsts)
    group = np.empty(len(values), np.int64)
    group[order] = np.cumsum(firsts) - 1

    def ranks(units: Floats) -> Floats:
        mass = np.add.reduceat(units[:, order], starts, axis=1)
        middle = np.cumsum(mass, axis=1) - mass / 2
        return np.asarray(middle[:, group])

    return ranks
