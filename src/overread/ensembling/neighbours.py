"""What streams of predictions say of the slices around a slice: features for stacking.

Streams are one target's probabilities by several members, the blend first. Arrays only, built in
pieces so that a million slices need no more memory than asked for. Knows no joiners and no truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import DTypeLike, NDArray

__all__ = ["NeighbourRows", "feature_names", "neighbour_features", "scan_order"]

Ints = NDArray[np.int64]


def scan_order(units: pl.DataFrame) -> tuple[Ints, Ints]:
    """Return how to sort slices by scan and place, and which scan each sorted slice is of.

    Args:
        units: with study and site ("series/place", such as "1/0012"); a unit without such a site
            is a scan of its own.

    Returns:
        (n,) indices into the rows, and (n,) scan numbers of the rows so sorted, rising from 0.
    """
    parts = pl.col("site").str.splitn("/", 2)
    keyed = units.select(
        "study",
        row=pl.int_range(pl.len()),
        series=parts.struct.field("field_0"),
        place=parts.struct.field("field_1").cast(pl.Int64, strict=False),
    )
    alone = pl.col("place").is_null()
    keyed = keyed.with_columns(alone=pl.when(alone).then(pl.col("row"))).sort(
        "study", "series", "alone", "place", "row"
    )
    scans = keyed.select(pl.struct("study", "series", "alone").rle_id().cast(pl.Int64))
    return keyed["row"].to_numpy().astype(np.int64), scans.to_series().to_numpy()


def feature_names(streams: Sequence[str], reach: int) -> list[str]:
    """Return the names of the columns of `neighbour_features`, such as "exp16 -3".

    Example:
        >>> feature_names(["blend", "exp16"], 1)
        ['blend', 'blend -1', 'exp16 -1', 'blend +1', 'exp16 +1']
    """
    steps = [*range(-1, -reach - 1, -1), *range(1, reach + 1)]
    return [streams[0], *(f"{stream} {step:+d}" for step in steps for stream in streams)]


@dataclass(frozen=True, eq=False)
class NeighbourRows:
    """Rows of features, made when they are asked for.

    Attributes:
        values: (n, streams) sorted by scan and place, the blend first.
        scan: (n,) which scan each slice is of; slices of a scan lie together.
        reach: how many slices to either side.
        dtype: of the features.
    """

    values: NDArray[np.floating[Any]]
    scan: Ints
    reach: int = 20
    dtype: DTypeLike = np.float32

    def __len__(self) -> int:
        """Return the number of slices."""
        return len(self.values)

    @property
    def width(self) -> int:
        """Number of features."""
        return 1 + 2 * self.reach * int(self.values.shape[1])

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Return features of the slices from `start` to `stop`, (stop - start, width)."""
        count, streams = stop - start, self.values.shape[1]
        out = np.full((count, self.width), np.nan, self.dtype)
        out[:, 0] = self.values[start:stop, 0]
        column = 1
        for step in (*range(-1, -self.reach - 1, -1), *range(1, self.reach + 1)):
            low = min(max(start, -step, 0), stop)
            high = max(min(stop, len(self) - step), low)
            same = self.scan[low:high] == self.scan[low + step : high + step]
            shown = np.where(same[:, None], self.values[low + step : high + step], np.nan)
            out[low - start : high - start, column : column + streams] = shown
            column += streams
        return out


def neighbour_features(
    values: NDArray[np.floating[Any]], scan: Ints, *, reach: int = 20, dtype: DTypeLike = np.float64
) -> NDArray[Any]:
    """Return what the streams say of each slice's neighbours, as published.

    The blend's own value, then for 1 ... reach all streams of the slice so many places towards the
    feet, then the same towards the head; NaN beyond the ends of the scan. Source: the 3rd place of
    RSNA 2019 (401 features: 10 streams, reach 20).

    Args:
        values: (n, streams) sorted by scan and place; see `scan_order`.
        scan: (n,) which scan each slice is of.
        reach: how many slices to either side.
        dtype: of the features.

    Returns:
        (n, 1 + 2 * reach * streams).
    """
    return NeighbourRows(values, scan, reach, dtype).rows(0, len(values))
