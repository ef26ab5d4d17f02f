"""Values of images at fractional places: bilinear, zeros outside; by torch, or by NumPy alone.

Both engines are one function, to the last bit where torch fuses products with sums, as it does on
the usual processors, and to 1e-6 elsewhere. Torch is some five times faster and takes two seconds
to open, so it computes where something else has opened it. Slices and windows are not known here.
"""

import sys

import numpy as np
from numpy.typing import NDArray

__all__ = ["fetch", "fetch_with_numpy", "fetch_with_torch"]

Floats = NDArray[np.float32]
ONE = np.float32(1)


def fetch(images: Floats, grid: Floats) -> Floats:
    """Return the values of images at places.

    Args:
        images: (n, C, h, w), at least two rows and columns.
        grid: (n, rows, columns, 2) places (x, y), -1 the first column or row and 1 the last one.

    Returns:
        (n, C, rows, columns).
    """
    chosen = fetch_with_torch if "torch" in sys.modules else fetch_with_numpy
    return chosen(images, grid)


def fetch_with_torch(images: Floats, grid: Floats) -> Floats:
    """Be `fetch`, by torch."""
    import torch
    from torch.nn import functional

    values: Floats = functional.grid_sample(
        torch.from_numpy(images),
        torch.from_numpy(grid),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=True,
    ).numpy()
    return values


def fetch_with_numpy(images: Floats, grid: Floats) -> Floats:
    """Be `fetch`, by NumPy."""
    rows, columns = images.shape[2:]
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    flat = padded.reshape(*images.shape[:2], -1)
    (left, right), (west, east) = _line(grid[..., 0], columns)
    (upper, lower), (north, south) = _line(grid[..., 1], rows)
    corners = [
        (row * (columns + 2) + column, first * second)
        for row, second in ((upper, south), (lower, north))
        for column, first in ((left, east), (right, west))
    ]
    found = np.empty((*images.shape[:2], *grid.shape[1:3]), np.float32)
    for number, image in enumerate(flat):
        (place, weight), *rest = [(place[number], weight[number]) for place, weight in corners]
        total = image[:, place] * weight
        for place, weight in rest:
            # The sum of a product is rounded once, as a fused instruction does it.
            total = (image[:, place].astype(np.float64) * weight + total).astype(np.float32)
        found[number] = total
    return found


def _line(
    grid: Floats, size: int
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], tuple[Floats, Floats]]:
    """Return along one axis the two padded indices about each place, and the parts between.

    The first part is the way from the first index, the second that to the other one.
    """
    place = (grid + ONE) * np.float32((size - 1) / 2)
    below = np.floor(place)
    part = place - below
    first, second = (
        np.clip(below + step, 0, size + 1).astype(np.int64) for step in (ONE, ONE + ONE)
    )
    return (first, second), (part, ONE - part)
