"""Networks that answer for a slice and for those beside it: all that was said of a slice, averaged.

Source: experiments 34 and 36 of the 3rd place of RSNA 2019. Arrays only; knows no networks.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["average_offsets"]

Ints = NDArray[np.int64]


def average_offsets(
    said: NDArray[np.floating[Any]],
    scan: Ints,
    offsets: Sequence[int],
    *,
    beyond: Literal["drop", "nearest"] = "drop",
) -> NDArray[np.float64]:
    """Return one answer a slice: the mean over offsets of what was said of it from there.

    Several slices may speak of one from the same offset (at the ends of a scan, with "nearest");
    their mean counts once. A slice of which an offset says nothing is averaged over the others.

    Args:
        said: (n, offsets, labels) probabilities; slices sorted by scan and place.
        scan: (n,) which scan each slice is of.
        offsets: of which slice each answer speaks, such as (0, -1, 1); positive to the head.
        beyond: answers for slices beyond the ends are dropped, or count for the nearest slice.

    Returns:
        (n, labels).
    """
    n, _, labels = said.shape
    total, count = np.zeros((n, labels)), np.zeros((n, 1))
    first, last = _ends(scan)
    for number, step in enumerate(offsets):
        spoken = np.arange(n) + step
        if beyond == "nearest":
            spoken = np.clip(spoken, first, last)
        there = (spoken >= first) & (spoken <= last)
        sums, times = np.zeros((n, labels)), np.zeros((n, 1))
        np.add.at(sums, spoken[there], said[there, number].astype(np.float64))
        np.add.at(times, spoken[there], 1)
        heard = times[:, 0] > 0
        total[heard] += sums[heard] / times[heard]
        count[heard] += 1
    nothing = np.full((n, labels), np.nan)
    return np.asarray(np.divide(total, count, out=nothing, where=count > 0))


def _ends(scan: Ints) -> tuple[Ints, Ints]:
    """Return the index of the first and last slice of each slice's scan."""
    starts = np.flatnonzero(np.diff(scan, prepend=scan[:1] - 1))
    lengths = np.diff(np.append(starts, len(scan)))
    first = np.repeat(starts, lengths)
    return first, first + np.repeat(lengths, lengths) - 1
