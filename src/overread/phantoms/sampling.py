"""Slice planes, local coordinates on them, soft coverage, and random textures.

Everything is evaluated on the pixels of one slice, as float32 arrays (rows, columns).
It knows nothing about anatomy.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MARGIN_MM = 1.5  # soft edges reach about so far

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

    @cached_property
    def _to_grid(self) -> F64:
        """Return (3, 3): a patient-space vector times it is (column, row, distance in mm)."""
        across, down = self.along_row / self.spacing[1], self.along_column / self.spacing[0]
        return np.stack([across, down, self.normal], -1)

    def box(self, frame: Frame, low: F64, high: F64) -> Window | None:
        """Return the pixels that a box in local coordinates (low and high, (3,)) can touch.

        Returns:
            The window with a margin of 1.5 mm, or None where the slice passes the box by.
        """
        middle = (frame.centre + (low + high) / 2 @ frame.axes - self.origin) @ self._to_grid
        half = (high - low) / 2 @ np.abs(frame.axes @ self._to_grid)
        (column, row, away), (wide, tall, deep) = middle.tolist(), half.tolist()
        if abs(away) > deep + _MARGIN_MM:
            return None
        wide += _MARGIN_MM / self.spacing[1] + 1
        tall += _MARGIN_MM / self.spacing[0] + 1
        top, bottom = max(0, floor(row - tall)), min(self.shape[0], ceil(row + tall) + 1)
        first, last = max(0, floor(column - wide)), min(self.shape[1], ceil(column + wide) + 1)
        if top >= bottom or first >= last:
            return None
        return slice(top, bottom), slice(first, last)

    def local(self, frame: Frame, window: Window) -> tuple[F32, F32, F32]:
        """Return local (left, back, up) in mm of the pixels of a window."""
        start = frame.axes @ (self.origin - frame.centre)
        per_row = frame.axes @ self.along_column * self.spacing[0]
        per_column = frame.axes @ self.along_row * self.spacing[1]
        down = start[:, None] + per_row[:, None] * np.arange(window[0].start, window[0].stop)
        across = per_column[:, None] * np.arange(window[1].start, window[1].stop)
        left, back, up = down.astype(np.float32)[:, :, None] + across.astype(np.float32)[:, None, :]
        return left, back, up


def cover(inside_mm: F32, soft_mm: Any) -> F32:
    """Turn a signed distance (positive inside) into coverage 0..1 with an edge of `soft_mm`."""
    covered = inside_mm * np.float32(1 / soft_mm)
    covered += np.float32(0.5)
    np.maximum(covered, np.float32(0), out=covered)
    return np.minimum(covered, np.float32(1), out=covered)


def rounded(x: F32, y: F32, *, square: float = 1.0) -> F32:
    """Return the radius (1 on the border) of a rounded box; `square` 2 is an ellipse, 0 a box."""
    x2, y2 = x * x, y * y
    total: F32 = x2 + y2
    if square != 2.0:
        # x^4 + y^4 + square x^2 y^2, in place.
        x2 *= y2
        x2 *= np.float32(2.0 - square)
        total *= total
        total -= x2
        np.sqrt(total, out=total)
    return np.sqrt(total, out=total)


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
        rows = np.arange(window[0].start, window[0].stop, dtype=np.float32)
        columns = np.arange(window[1].start, window[1].stop, dtype=np.float32)
        start = np.remainder(self.waves @ plane.origin + self.phases, 2 * np.pi)
        # float32 holds the phase to 1e-4 on any field of view, and its sine is much faster.
        down = np.outer(rows, _narrow(self.waves @ plane.along_column * plane.spacing[0]))
        across = np.outer(columns, _narrow(self.waves @ plane.along_row * plane.spacing[1]))
        down += _narrow(start)
        left = np.concatenate([np.cos(down), -np.sin(down)], axis=1)
        left *= np.float32(np.sqrt(2 / len(self.phases)))
        sampled: F32 = left @ np.concatenate([np.cos(across), np.sin(across)], axis=1).T
        return sampled


def _narrow(values: F64) -> F32:
    return values.astype(np.float32)


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
