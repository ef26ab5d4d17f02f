"""Which way the window of a crop is turned, and where its edges fall.

Works on planes, directions and points; slices are chosen and pixels fetched elsewhere.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overread.imaging.curves import chain_direction, spline_angle
from overread.records import Planes

__all__ = ["along_chain", "turned", "whole_pixels"]

Floats = NDArray[np.float64]
# A chain that leaves the image plane more steeply than this gives no direction in it (cosine).
LEAST_IN_PLANE = 0.5


def along_chain(
    points: Floats,
    index: int,
    planes: Planes,
    axes: tuple[Floats, Floats],
    curve: Literal["robust", "spline"] = "robust",
) -> Floats | None:
    """Return the direction of a chain at a point: (3,), (n, 3) one a slice, or None if unknown.

    Args:
        points: (k, 3) world mm, in order.
        index: of the point.
        planes: of the n slices.
        axes: down and right in them, (n, 3) each.
        curve: "robust", a local fit in space; or "spline", as published: a spline of a spline
            through the points as each slice shows them.
    """
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    if curve == "robust" or len(points) < 3 or steps.min() == 0:
        return chain_direction(points, index)
    down, right = axes
    unit = np.sqrt(planes.spacing.prod(axis=1))  # the spline's smoothing is in px
    shown = np.stack([right @ points.T, down @ points.T], 2) / unit[:, None, None]
    angles = np.array([spline_angle(flat, flat[index]) for flat in shown])[:, None]
    return np.asarray(np.cos(angles) * down - np.sin(angles) * right)


def turned(along: Floats, down: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Return the directions turned within the plane so that down follows `along`.

    Where it leaves the plane too steeply they stay as they are.
    """
    cosine, sine = (
        np.einsum("ij,ij->i", axis, np.broadcast_to(along, axis.shape)) for axis in (down, right)
    )
    length = np.hypot(cosine, sine)
    turn = length > LEAST_IN_PLANE
    cosine = np.where(turn, cosine / np.maximum(length, 1e-9), 1.0)[:, None]
    sine = np.where(turn, sine / np.maximum(length, 1e-9), 0.0)[:, None]
    return cosine * down + sine * right, cosine * right - sine * down


def whole_pixels(centre: Floats, box: Floats) -> tuple[Floats, Floats]:
    """Move the edges of boxes to the nearest borders between pixels, halves to even.

    Args:
        centre: (n, 2) column and row; the centre of the first pixel is (0, 0).
        box: (n, 2) width and height, px.

    Returns:
        The centres, and the factors by which the boxes grew.
    """
    low, high = (np.round(centre + 0.5 + side * box / 2) for side in (-1, 1))
    return (low + high) / 2 - 0.5, (high - low) / box
