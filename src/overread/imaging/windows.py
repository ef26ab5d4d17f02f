"""From scanner values to 0-1: percentile stretch and fixed windows.

Each works on one slice at a time; geometry is not known here.
"""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from overread.shelf import Spec, nearest

__all__ = ["WINDOWS", "WindowSpec", "percentiles", "stretch", "window_limits"]

# Centre and width in HU, as the RSNA 2019 3rd-place system has them.
WINDOWS = {
    "brain": (40.0, 80.0),
    "subdural": (80.0, 200.0),
    "soft_tissue": (40.0, 380.0),
    "soft_tissue_narrow": (40.0, 300.0),
    "bone": (600.0, 2800.0),
}


class WindowSpec(Spec):
    """Which values become 0 and which become 1: percentiles of the slice, or a fixed window.

    A name of `WINDOWS` stands for its centre and width.

    Attributes:
        percentile: of each slice, in percent; used when no centre is given.
        centre: of a fixed window, such as 40 HU.
        width: of a fixed window, such as 80 HU.
        region: where percentiles are taken: of the whole "slice", or along the "chain" of the
            locator's points, within the distance of neighbouring points. The second compares a
            point with its neighbours, whatever the coil and the field of view.

    Example:
        >>> WindowSpec(centre=40, width=80).fixed
        (0.0, 80.0)
    """

    percentile: tuple[float, float] = (0.1, 99.9)
    centre: float | None = None
    width: float | None = Field(default=None, gt=0)
    region: Literal["slice", "chain"] = "slice"

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        if not isinstance(values, str):
            return values
        if values not in WINDOWS:
            raise ValueError(f'no window "{values}": {nearest(values, WINDOWS)}')
        centre, width = WINDOWS[values]
        return {"centre": centre, "width": width}

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


def chain_percentiles(
    pixels: NDArray[np.generic],
    places_px: NDArray[np.float64],
    percentile: tuple[float, float],
) -> tuple[float, float]:
    """Return two percentiles of the pixels near a chain of points in a slice.

    Near is a square around each point, half as high and wide as the distance of neighbouring
    points; without such pixels the whole slice counts.

    Args:
        pixels: (rows, columns).
        places_px: (n, 2) column and row of the points.
        percentile: two, in percent.
    """
    steps = np.linalg.norm(np.diff(places_px, axis=0), axis=1)
    if not len(steps):
        return percentiles(pixels, percentile)
    half = max(float(np.median(steps)) / 2, 1.0)
    near = np.zeros(pixels.shape[:2], np.bool_)
    for x, y in places_px:
        rows = slice(max(round(y - half), 0), max(round(y + half) + 1, 0))
        near[rows, max(round(x - half), 0) : max(round(x + half) + 1, 0)] = True
    return percentiles(pixels[near] if near.any() else pixels, percentile)


def stretch(pixels: NDArray[np.generic], low: float, high: float) -> NDArray[np.float32]:
    """Return the pixels with `low` at 0 and `high` at 1, clipped; zeros where low equals high.

    The result is new: the pixels themselves never change, so that several windows of one image are
    independent of each other.
    """
    if not high > low:
        return np.zeros(pixels.shape, np.float32)
    values = pixels.astype(np.float32)
    values -= np.float32(low)
    values *= np.float32(1 / (high - low))
    return np.clip(values, 0, 1, out=values)
