"""Which way is up: the body's directions in each slice, and the order of slices.

Crops always run the same way, whatever the direction of rows and columns in the file: rows to the
feet (axial: to the back), columns to the back (axial, coronal: to the patient's left); slices from
the patient's right to left, from head to feet, from front to back. Pixels are not known here.
"""

from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overread.records import Planes
from overread.shelf import nearest

__all__ = ["Plane", "in_plane_axes", "plane_of", "slice_offsets", "slice_order", "through_axis"]

Plane = Literal["sagittal", "axial", "coronal", "photo"]
Floats = NDArray[np.float64]

LEFT, BACK, HEAD = np.eye(3)  # LPS
# The direction along which `offsets_mm` grows; +1 where slices are ordered along it, else -1.
_THROUGH: dict[str, tuple[Floats, int]] = {
    "sagittal": (LEFT, 1),
    "axial": (HEAD, -1),
    "coronal": (BACK, 1),
    "photo": (HEAD, 1),
}
_DOWN_RIGHT: dict[str, tuple[Floats, Floats]] = {
    "sagittal": (-HEAD, BACK),
    "axial": (BACK, LEFT),
    "coronal": (-HEAD, LEFT),
}


def plane_of(role: str) -> Plane:
    """Return the plane of a role: its first word; CT is axial.

    Example:
        >>> plane_of("sagittal_t2")
        'sagittal'
    """
    word = role.split("_", 1)[0]
    plane = "axial" if word == "ct" else word
    if plane not in get_args(Plane):
        raise ValueError(f'role "{role}" names no plane: {nearest(word, ["ct", *get_args(Plane)])}')
    return cast("Plane", plane)


def through_axis(plane: Plane) -> Floats:
    """Return the unit direction (3,) along which offsets of slices are counted."""
    return _THROUGH[plane][0]


def slice_offsets(planes: Planes, plane: Plane, point: ArrayLike) -> Floats:
    """Return the signed distance of each slice from a point, (n,) mm.

    Measured along the slice's own normal, positive where the slice lies to the patient's left
    (sagittal), towards the head (axial) or the back (coronal) of the point.
    """
    axis = through_axis(plane)
    side = np.where(planes.normal @ axis < 0, -1.0, 1.0)
    gap = planes.origin - np.asarray(point, np.float64)
    return np.asarray(np.einsum("ij,ij->i", gap, planes.normal) * side)


def slice_order(planes: Planes, plane: Plane, point: ArrayLike | None = None) -> NDArray[np.int64]:
    """Return the indices of the slices in patient order, (n,).

    Args:
        planes: one a slice, of any number of stacks.
        plane: tells the direction: right to left, head to feet or front to back.
        point: where the order counts, for slices that are not parallel; by the position of the
            first pixel when None (as published systems do).
    """
    axis, sign = _THROUGH[plane]
    if point is None:
        along = planes.origin @ axis
    else:
        cosine = np.abs(planes.normal @ axis)
        along = slice_offsets(planes, plane, point) / np.maximum(cosine, 0.1)
    return np.argsort(sign * np.round(along, 6), kind="stable")


def in_plane_axes(planes: Planes, plane: Plane) -> tuple[Floats, Floats]:
    """Return the directions down and right of each slice in the canonical orientation.

    They are the rows and columns of the file, swapped and turned round where needed; slices are
    never rotated by other angles here.

    Returns:
        Two (n, 3) arrays of unit vectors.
    """
    if plane == "photo":
        return planes.column, planes.row
    want_down, want_right = _DOWN_RIGHT[plane]
    kept = np.abs(planes.column @ want_down) + np.abs(planes.row @ want_right)
    swapped = np.abs(planes.row @ want_down) + np.abs(planes.column @ want_right)
    swap = (swapped > kept)[:, None]
    down = np.where(swap, planes.row, planes.column)
    right = np.where(swap, planes.column, planes.row)
    return _towards(down, want_down), _towards(right, want_right)


def _towards(vectors: Floats, wanted: Floats) -> Floats:
    return np.where((vectors @ wanted < 0)[:, None], -vectors, vectors)
