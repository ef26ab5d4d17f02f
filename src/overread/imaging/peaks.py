"""The points that heat-maps show.

Coordinates are cells of the map as (x, y) = (column, row); the centre of the first cell is (0, 0).
How maps are drawn and patients are not known here.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["cells_to_pixels", "decode_heatmaps"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


def cells_to_pixels(points: Floats, stride: int) -> Floats:
    """Map cells of a map to pixels of the image that is `stride` times finer."""
    return (points + 0.5) * stride - 0.5


def decode_heatmaps(
    maps: NDArray[np.floating],
    *,
    method: Literal["box", "softargmax"] = "softargmax",
    percentile: float = 99.8,
    radius: int = 10,
) -> tuple[Floats, Floats]:
    """Return the point that each map shows, and how sure it is.

    Args:
        maps: (..., rows, columns) probabilities.
        method: "box" = centre of the bounding box of all cells at or above the percentile, as
            published (two blobs give the middle between them; confidence is the peak).
            "softargmax" = centre of mass about the peak, found again and again under a Gaussian
            window; confidence is the peak, less when another blob rivals it.
        percentile: for "box".
        radius: of the rendered targets, for "softargmax".

    Returns:
        (..., 2) cells (x, y), fractions; (...) confidence 0-1.
    """
    lead = maps.shape[:-2]
    flat = np.asarray(maps, np.float32).reshape(-1, *maps.shape[-2:])
    points, sure = _box(flat, percentile) if method == "box" else _about_peak(flat, radius)
    return points.reshape(*lead, 2), sure.reshape(lead)


def _box(maps: Singles, percentile: float) -> tuple[Floats, Floats]:
    exact = maps.astype(np.float64)
    threshold = np.quantile(exact.reshape(len(maps), -1), percentile / 100, axis=1)
    above = exact >= threshold[:, None, None]
    ends = []
    for axis in (1, 2):
        line = above.any(axis=axis)
        index = np.arange(line.shape[1])
        first = np.where(line, index, line.shape[1]).min(axis=1)
        last = np.where(line, index, -1).max(axis=1)
        ends.append((first + last) / 2)
    return np.stack(ends, -1), exact.max(axis=(1, 2))


def _about_peak(maps: Singles, radius: int) -> tuple[Floats, Floats]:
    _, rows, columns = maps.shape
    exact = maps.astype(np.float64)
    flat = exact.reshape(len(maps), -1)
    index, peak = flat.argmax(axis=1), flat.max(axis=1)
    x, y = (index % columns).astype(np.float64), (index // columns).astype(np.float64)
    grid_x, grid_y = np.arange(columns)[None], np.arange(rows)[None]
    sigma = max((2 * radius + 1) / 6, 0.5)
    # Noise far below the peak would pull the centre of mass towards the window's middle.
    mass = np.maximum(exact - 0.1 * peak[:, None, None], 0)
    for _ in range(8):
        near_x = np.exp(-((grid_x - x[:, None]) ** 2) / (2 * sigma * sigma))
        near_y = np.exp(-((grid_y - y[:, None]) ** 2) / (2 * sigma * sigma))
        weight = mass * near_y[:, :, None] * near_x[:, None, :]
        total = np.maximum(weight.sum(axis=(1, 2)), 1e-12)
        mean_x = (weight.sum(axis=1) * grid_x).sum(axis=1) / total
        mean_y = (weight.sum(axis=2) * grid_y).sum(axis=1) / total
        # A mean shift under an equally wide window goes half of the way.
        x = np.clip(x + 2 * (mean_x - x), 0, columns - 1)
        y = np.clip(y + 2 * (mean_y - y), 0, rows - 1)
    away_x, away_y = (grid_x - x[:, None]) ** 2, (grid_y - y[:, None]) ** 2
    far = away_x[:, None, :] + away_y[:, :, None] > (2 * radius) ** 2
    rival = (exact * far).max(axis=(1, 2))
    sure = peak * (1 - np.clip(rival / np.maximum(peak, 1e-6), 0, 1) ** 2)
    return np.stack([x, y], -1), np.clip(sure, 0, 1)
