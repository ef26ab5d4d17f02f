"""Slice planes, local coordinates on them, soft coverage, and random textures.

Everything is evaluated on the pixels of one slice, as float32 arrays (rows, columns).
It knows nothing about anatomy.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[Any]  # float32 on pixels; numpy promotes too subtly to say so
F64 = NDArray[np.float64]
Window = tuple[slice, slice]


@dataclass(frozen=True)
class Frame:
    """A place and three unit axes in patient space (LPS, mm).

    Attributes:
        centre: (3,) origin.
        axes: (3, 3), rows: towards the person's left, towards the back, towards the head.
    """

    centre: F64
    axes: F64

    def world(self, left: float, back: float, up: float) -> F64:
        """Return the patient-space point with these local coordinates, in mm."""
        return self.centre + np.array([left, back, up]) @ self.axes


@dataclass(frozen=True)
class SlicePlane:
    """The pixel grid of one slice in patient space (LPS, mm).

    Attributes:
        origin: (3,) centre of the first pixel.
        along_row: (3,) unit vector of increasing column index.
        along_column: (3,) unit vector of increasing row index.
        spacing: distance between (rows, columns).
        shape: (rows, columns).
        thickness: of the slice.
    """

    origin: F64
    along_row: F64
    along_column: F64
    spacing: tuple[float, float]
    shape: tuple[int, int]
    thickness: float

    @cached_property
    def normal(self) -> F64:
        """Return the unit normal, row direction x column direction."""
        return np.cross(self.along_row, self.along_column)

    def pixel(self, point: F64) -> tuple[Any, Any, Any]:
        """Return (column, row, distance from the plane in mm) of patient-space points (..., 3)."""
        offset = np.asarray(point) - self.origin
        column = offset @ self.along_row / self.spacing[1]
        row = offset @ self.along_column / self.spacing[0]
        return column, row, offset @ self.normal

    def world(self, column: float, row: float) -> F64:
        """Return the patient-space point of a pixel (DICOM PS3.3 C.7.6.2.1.1)."""
        across = self.along_row * self.spacing[1] * column
        return self.origin + across + self.along_column * self.spacing[0] * row

    def whole(self) -> Window:
        """Return the window of all pixels."""
        return slice(0, self.shape[0]), slice(0, self.shape[1])

    def window(self, points: F64, *, margin_mm: float = 1.5) -> Window | None:
        """Return the pixels that the box around points (n, 3) can touch, or None if it misses."""
        column, row, distance = self.pixel(points)
        reach = self.thickness / 2 + margin_mm
        if np.min(distance) > reach or np.max(distance) < -reach:
            return None
        found = []
        for index, spacing, size in (
            (row, self.spacing[0], self.shape[0]),
            (column, self.spacing[1], self.shape[1]),
        ):
            pad = margin_mm / spacing + 1
            low = max(0, int(np.floor(np.min(index) - pad)))
            high = min(size, int(np.ceil(np.max(index) + pad)) + 1)
            if low >= high:
                return None
            found.append(slice(low, high))
        return found[0], found[1]

    def box(self, frame: Frame, low: F64, high: F64) -> Window | None:
        """Return the pixels that a box in local coordinates (low and high, (3,)) can touch."""
        middle = frame.centre + (low + high) / 2 @ frame.axes - self.origin
        far = float(np.linalg.norm(high - low)) / 2 + self.thickness / 2 + 1.5
        if abs(float(middle @ self.normal)) > far:
            return None
        corners = np.array(
            [
                [x, y, z]
                for x in (low[0], high[0])
                for y in (low[1], high[1])
                for z in (low[2], high[2])
            ]
        )
        return self.window(frame.centre + corners @ frame.axes)

    def local(self, frame: Frame, window: Window) -> tuple[F32, F32, F32]:
        """Return local (left, back, up) in mm of the pixels of a window."""
        rows = np.arange(window[0].start, window[0].stop)[:, None]
        columns = np.arange(window[1].start, window[1].stop)[None, :]
        start = frame.axes @ (self.origin - frame.centre)
        per_column = frame.axes @ self.along_row * self.spacing[1]
        per_row = frame.axes @ self.along_column * self.spacing[0]
        found = [
            (start[i] + per_row[i] * rows).astype(np.float32)
            + (per_column[i] * columns).astype(np.float32)
            for i in range(3)
        ]
        return found[0], found[1], found[2]


def cover(inside_mm: F32, soft_mm: Any) -> F32:
    """Turn a signed distance (positive inside) into coverage 0..1 with an edge of `soft_mm`."""
    covered = inside_mm * np.float32(1 / soft_mm)
    covered += np.float32(0.5)
    return np.clip(covered, 0, 1, out=covered)


def rounded(x: F32, y: F32, *, square: float = 1.0) -> F32:
    """Return the radius (1 on the border) of a rounded box; `square` 2 is an ellipse, 0 a box."""
    x2, y2 = x * x, y * y
    fourth: F32 = x2 * x2 + y2 * y2 + np.float32(square) * x2 * y2
    return np.sqrt(np.sqrt(fourth))


def bounds(mask: F32) -> Window | None:
    """Return the window that holds all true pixels of a mask, or None if there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def shifted(inner: Window, outer: Window) -> Window:
    """Return a window that was counted inside another one in the image's own indices."""
    rows, columns = outer[0].start, outer[1].start
    return (
        slice(inner[0].start + rows, inner[0].stop + rows),
        slice(inner[1].start + columns, inner[1].stop + columns),
    )


def coarse_steps(size: int, step: int) -> tuple[F64, F32]:
    """Return coarse sample positions on 0..size-1 and the (size, coarse) linear interpolation."""
    count = max(2, -(-(size - 1) // step) + 1)
    at = np.linspace(0, max(size - 1, 1), count)
    place = np.arange(size) / (at[1] - at[0])
    left = np.minimum(place.astype(int), count - 2)
    weights = np.zeros((size, count), np.float32)
    weights[np.arange(size), left] = 1 - (place - left)
    weights[np.arange(size), left + 1] = place - left
    return at, weights


@dataclass(frozen=True)
class Texture:
    """A random field in patient space: a sum of plane waves, mean 0 and variance 1.

    On a plane each wave is an outer product, so sampling is one small matrix product.
    """

    waves: F64  # (n, 3) radians per mm
    phases: F64  # (n,)

    def on(self, plane: SlicePlane, window: Window) -> F32:
        """Sample the field on the pixels of a window."""
        rows = np.arange(window[0].start, window[0].stop)
        columns = np.arange(window[1].start, window[1].stop)
        down = np.outer(rows, self.waves @ plane.along_column * plane.spacing[0])
        across = np.outer(columns, self.waves @ plane.along_row * plane.spacing[1])
        down += self.waves @ plane.origin + self.phases
        left = np.hstack([np.cos(down), -np.sin(down)]).astype(np.float32)
        right = np.hstack([np.cos(across), np.sin(across)]).astype(np.float32)
        return left @ right.T * np.float32(np.sqrt(2 / len(self.phases)))


def draw_texture(
    rng: np.random.Generator,
    *,
    finest_mm: float,
    coarsest_mm: float,
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0),
    num_waves: int = 24,
) -> Texture:
    """Draw a texture with wavelengths between two lengths, stretched along the patient axes."""
    direction = rng.standard_normal((num_waves, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = np.exp(rng.uniform(np.log(finest_mm), np.log(coarsest_mm), (num_waves, 1)))
    waves = 2 * np.pi * direction / length / np.asarray(stretch)
    return Texture(waves, rng.uniform(0, 2 * np.pi, num_waves))
