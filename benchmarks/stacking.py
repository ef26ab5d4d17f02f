"""Stacking features of a challenge's worth of slices, beside row-by-row pandas on a part of them.

750,000 slices in scans of 20 to 60, ten streams of probabilities, twenty neighbours to either side:
401 features a slice, made in pieces. `head_ct_scale` does the same on real header rows, and more.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.head_ct_scale import REACH, STREAMS, by_row
from benchmarks.timing import Row, compare
from overread.ensembling.neighbours import NeighbourRows, neighbour_features

__all__ = ["rows"]

SLICES, PART, PIECE = 750_000, 2_000, 65_536


def rows(folder: Path, *, slices: int = SLICES, part: int = PART) -> Iterator[Row]:
    """Yield the row of the part, which tells of the whole as well."""
    del folder
    scan = _scans(slices)
    values = np.random.default_rng(0).random((slices, STREAMS))
    end = int(np.searchsorted(scan, scan[part - 1], side="right"))  # scans stay whole
    ours = neighbour_features(values[:end], scan[:end], reach=REACH)[:part]
    if not np.array_equal(by_row(values[:end], scan[:end], part), ours, equal_nan=True):
        raise ValueError("features differ from those that pandas makes")
    seconds = _whole(values.astype(np.float32), scan)
    yield compare(
        f"{ours.shape[1]} stacking features of {part:,} slices",
        "part",
        lambda: neighbour_features(values[:end], scan[:end], reach=REACH),
        {"pandas, row by row": lambda: by_row(values[:end], scan[:end], part)},
        repeats=3,
        target=20.0,
        note=f"equal, NaN for NaN; all {slices:,} slices take us {seconds:.1f} s",
    )


def _scans(slices: int) -> NDArray[np.int64]:
    """Return which scan each slice is of."""
    lengths = np.random.default_rng(1).integers(20, 61, slices // 20)
    return np.repeat(np.arange(len(lengths)), lengths)[:slices]


def _whole(values: NDArray[np.float32], scan: NDArray[np.int64]) -> float:
    """Return how long the features of all slices take, made in pieces and thrown away."""
    pieces = NeighbourRows(values, scan, REACH)
    start = time.perf_counter()
    for first in range(0, len(pieces), PIECE):
        pieces.rows(first, min(first + PIECE, len(pieces)))
    return time.perf_counter() - start
