"""Where each slice lies: one plane per slice, in patient space.

A plane is exact for one slice; nothing here assumes that the slices of a series are parallel,
equally spaced or equally sized. Pixels are not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["GeometryError", "Planes"]

Floats = NDArray[np.float64]
# DICOM writes direction cosines as decimal strings of at most 16 characters.
UNIT_TOLERANCE = 1e-3


class GeometryError(ValueError):
    """Directions, spacings or positions that describe no plane."""


@dataclass(frozen=True, eq=False)
class Planes:
    """One plane for each of n slices.

    Attributes:
        origin: (n, 3) centre of pixel (0, 0), mm, LPS (DICOM ImagePositionPatient).
        row: (n, 3) unit direction in which the column index grows (ImageOrientationPatient 1-3).
        column: (n, 3) unit direction in which the row index grows (ImageOrientationPatient 4-6).
        spacing: (n, 2) mm between rows, mm between columns (DICOM PixelSpacing, in this order).
        size: (n, 2) number of rows, number of columns.
        space: "patient" (mm, LPS) or "image" (px; photographs).
    """

    origin: Floats
    row: Floats
    column: Floats
    spacing: Floats
    size: NDArray[np.int64]
    space: Literal["patient", "image"] = "patient"

    def __post_init__(self) -> None:
        """Check the shapes, and make the directions exactly orthonormal."""
        n = len(self.origin)
        for name, width in (("origin", 3), ("row", 3), ("column", 3), ("spacing", 2), ("size", 2)):
            value = np.asarray(getattr(self, name), np.int64 if name == "size" else np.float64)
            if value.shape != (n, width):
                raise GeometryError(f"{name} has shape {value.shape}, expected ({n}, {width})")
            if not np.isfinite(value).all():
                raise GeometryError(f"{name} is not finite at slice {_first_bad(value)}")
            object.__setattr__(self, name, value)
        _check_directions(self.row, self.column)
        if n and not (self.spacing > 0).all():
            raise GeometryError(f"spacing must be positive, found {self.spacing.min()} mm")
        if n and not (self.size > 0).all():
            raise GeometryError("size must be positive")
        row, column = _orthonormal(self.row, self.column)
        for name, value in (("row", row), ("column", column)):
            object.__setattr__(self, name, value)
        for name in ("origin", "row", "column", "spacing", "size"):
            getattr(self, name).setflags(write=False)

    def __len__(self) -> int:
        """Return the number of slices."""
        return len(self.origin)

    @cached_property
    def normal(self) -> Floats:
        """(n, 3) unit normal, row x column: to the head or feet for axial slices."""
        return np.cross(self.row, self.column)

    @cached_property
    def centre(self) -> Floats:
        """(n, 3) world point in the middle of each slice, mm."""
        middle = (self.size[:, ::-1] - 1) / 2
        return self.to_world(np.arange(len(self)), middle)

    def take(self, slices: Sequence[int] | NDArray[np.int64] | slice) -> "Planes":
        """Return the planes of these slices, in this order."""
        index = slices if isinstance(slices, slice) else np.asarray(slices, np.int64)
        return Planes(
            self.origin[index],
            self.row[index],
            self.column[index],
            self.spacing[index],
            self.size[index],
            self.space,
        )

    def to_world(self, slices: ArrayLike, points_px: ArrayLike) -> Floats:
        """Map pixel points to world mm (DICOM PS3.3 C.7.6.2.1.1).

        Args:
            slices: (m,) slice index of each point.
            points_px: (m, 2) column index and row index (x, y); fractions allowed; the centre of
                the first pixel is (0, 0).

        Returns:
            (m, 3) mm, LPS.
        """
        index = np.asarray(slices, np.int64)
        points = np.asarray(points_px, np.float64)
        x_mm = points[..., 0] * self.spacing[index, 1]
        y_mm = points[..., 1] * self.spacing[index, 0]
        along_rows = self.row[index] * x_mm[..., None]
        along_columns = self.column[index] * y_mm[..., None]
        return np.asarray(self.origin[index] + along_rows + along_columns)

    def to_pixels(self, slices: ArrayLike, points: ArrayLike) -> tuple[Floats, Floats]:
        """Project world points onto slices, along the normal.

        Args:
            slices: (m,) slice index for each point.
            points: (m, 3) mm, LPS.

        Returns:
            (m, 2) column index and row index (x, y), and (m,) signed distance from the plane in mm,
            positive along the normal.
        """
        index = np.asarray(slices, np.int64)
        offset = np.asarray(points, np.float64) - self.origin[index]
        x = np.einsum("...i,...i->...", offset, self.row[index]) / self.spacing[index, 1]
        y = np.einsum("...i,...i->...", offset, self.column[index]) / self.spacing[index, 0]
        distance = np.einsum("...i,...i->...", offset, self.normal[index])
        return np.stack([x, y], -1), distance

    def along(self, direction: ArrayLike) -> Floats:
        """Return the position of each slice's centre along a direction, (n,) mm."""
        unit = np.asarray(direction, np.float64)
        along: Floats = np.asarray(self.centre @ (unit / np.linalg.norm(unit)))
        return along

    def mirrored(self) -> "Planes":
        """Return the planes reflected in patient x: what was left is right. Pixels stay."""
        flip = np.array([-1.0, 1.0, 1.0])
        return Planes(
            self.origin * flip,
            self.row * flip,
            self.column * flip,
            self.spacing,
            self.size,
            self.space,
        )

    @staticmethod
    def join(parts: Sequence["Planes"]) -> "Planes":
        """Return the planes of several stacks behind one another.

        Raises:
            GeometryError: if `parts` is empty or mixes patient and image space.
        """
        if not parts or len({part.space for part in parts}) != 1:
            raise GeometryError("join needs at least one part, all in one space")
        joined = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("origin", "row", "column", "spacing", "size")
        }
        return Planes(**joined, space=parts[0].space)

    @staticmethod
    def of_images(sizes: ArrayLike, spacing: tuple[float, float] | None = None) -> "Planes":
        """Return planes of images without a place in the patient: photographs, in px.

        With a spacing (mm between rows, mm between columns) they are taken for sagittal images in
        the plane x = 0: columns to posterior, rows to the feet.
        """
        size = np.asarray(sizes, np.int64).reshape(-1, 2)
        n = len(size)
        row, column = ((0, 1, 0), (0, 0, -1)) if spacing else ((1, 0, 0), (0, 1, 0))
        return Planes(
            np.zeros((n, 3)),
            np.tile(np.array(row, float), (n, 1)),
            np.tile(np.array(column, float), (n, 1)),
            np.tile(np.array(spacing or (1.0, 1.0), float), (n, 1)),
            size,
            "patient" if spacing else "image",
        )


def _first_bad(value: NDArray[np.generic]) -> int:
    return int(np.argmin(np.isfinite(value).all(axis=1)))


def _check_directions(row: Floats, column: Floats) -> None:
    for name, value in (("row", row), ("column", column)):
        length = np.linalg.norm(value, axis=1)
        if len(length) and np.abs(length - 1).max() > UNIT_TOLERANCE:
            worst = int(np.abs(length - 1).argmax())
            raise GeometryError(
                f"{name} direction of slice {worst} has length {length[worst]:.4f}, expected 1"
            )
    dot = np.abs(np.einsum("ij,ij->i", row, column))
    if len(dot) and dot.max() > UNIT_TOLERANCE:
        raise GeometryError(
            f"row and column direction of slice {int(dot.argmax())} are not perpendicular: "
            f"cosine {dot.max():.4f}, expected 0"
        )


def _orthonormal(row: Floats, column: Floats) -> tuple[Floats, Floats]:
    row = row / np.linalg.norm(row, axis=1, keepdims=True)
    column = column - row * np.einsum("ij,ij->i", row, column)[:, None]
    return row, column / np.linalg.norm(column, axis=1, keepdims=True)
