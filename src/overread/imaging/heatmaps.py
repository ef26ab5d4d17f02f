"""Points as heat-maps: rendering for training, decoding for use.

Coordinates are cells of the map as (x, y) = (column, row); the centre of the first cell is (0, 0).
Patients are not known here.
"""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "cells_to_pixels",
    "decode_heatmaps",
    "heatmap_radius",
    "pixels_to_cells",
    "render_heatmaps",
]

Centre = Literal["exact", "round", "truncate"]


def pixels_to_cells(points_px: Tensor, stride: int) -> Tensor:
    """Map image pixels to cells of a map that is `stride` times coarser (centres on centres)."""
    return (points_px + 0.5) / stride - 0.5


def cells_to_pixels(points: Tensor, stride: int) -> Tensor:
    """Map cells of a map to pixels of the image that is `stride` times finer."""
    return (points + 0.5) * stride - 0.5


def heatmap_radius(box_cells: float, overlap: float = 0.7) -> int:
    """Return the radius in cells of a target for a square box (CornerNet, Law and Deng 2018).

    Two boxes whose corners lie this far apart still overlap by `overlap`. The formulas are those
    of the published code, which differ from the paper's.

    Example:
        >>> heatmap_radius(76), heatmap_radius(38)
        (20, 10)
    """
    area = box_cells * box_cells
    cases = (
        (1.0, 2 * box_cells, area * (1 - overlap) / (1 + overlap)),
        (4.0, 4 * box_cells, (1 - overlap) * area),
        (4 * overlap, -4 * overlap * box_cells, (overlap - 1) * area),
    )
    roots = [(b + math.sqrt(b * b - 4 * a * c)) / 2 for a, b, c in cases]
    return max(0, int(min(roots)))


def render_heatmaps(
    points: Tensor,
    shape: tuple[int, int],
    *,
    radius: int,
    centre: Centre = "exact",
    valid: Tensor | None = None,
) -> Tensor:
    """Return Gaussian target maps with peak 1, one for each point.

    The Gaussian has sigma (2 radius + 1) / 6 and ends at `radius`. Points outside the map give
    the part that reaches in, or nothing.

    Args:
        points: (..., 2) cells (x, y).
        shape: rows and columns of the maps.
        radius: see `heatmap_radius`.
        centre: where the peak stands: at the point, at the nearest cell (halves to even) or at
            the cell below.
        valid: (...) False = an empty map.

    Returns:
        (..., rows, columns) float32.
    """
    place = points.float()
    if centre != "exact":
        place = place.round() if centre == "round" else place.trunc()
    place = torch.nan_to_num(place, nan=-1e6)
    sigma = (2 * radius + 1) / 6
    lines = []
    for axis, size in ((1, shape[0]), (0, shape[1])):
        off = torch.arange(size, device=points.device) - place[..., axis, None]
        line = torch.exp(-off.square() / (2 * sigma * sigma))
        lines.append(torch.where(off.abs() <= radius, line, torch.zeros_like(line)))
    maps = lines[0][..., :, None] * lines[1][..., None, :]
    return maps if valid is None else maps * valid[..., None, None]


def decode_heatmaps(
    maps: Tensor,
    *,
    method: Literal["box", "softargmax"] = "softargmax",
    percentile: float = 99.8,
    radius: int = 10,
) -> tuple[Tensor, Tensor]:
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
    flat = maps.float().flatten(0, -3) if maps.ndim > 2 else maps.float()[None]
    points, sure = _box(flat, percentile) if method == "box" else _about_peak(flat, radius)
    lead = maps.shape[:-2]
    return points.reshape(*lead, 2), sure.reshape(lead)


def _box(maps: Tensor, percentile: float) -> tuple[Tensor, Tensor]:
    threshold = torch.quantile(maps.flatten(1).double(), percentile / 100, dim=1)
    above = maps.double() >= threshold[:, None, None]
    ends = []
    for axis in (1, 2):
        line = above.any(dim=axis)
        index = torch.arange(line.shape[1], device=maps.device)
        first = torch.where(line, index, line.shape[1]).amin(1)
        last = torch.where(line, index, -1).amax(1)
        ends.append((first + last) / 2)
    return torch.stack(ends, -1), maps.flatten(1).amax(1)


def _about_peak(maps: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    _, rows, columns = maps.shape
    peak, index = maps.flatten(1).max(1)
    place = torch.stack([index % columns, index // columns], -1).to(maps.dtype)
    grid_y = torch.arange(rows, device=maps.device)[None, :]
    grid_x = torch.arange(columns, device=maps.device)[None, :]
    sigma = max((2 * radius + 1) / 6, 0.5)
    # Noise far below the peak would pull the centre of mass towards the window's middle.
    mass = functional.relu(maps - 0.1 * peak[:, None, None])
    for _ in range(8):
        near_x = torch.exp(-(grid_x - place[:, :1]).square() / (2 * sigma * sigma))
        near_y = torch.exp(-(grid_y - place[:, 1:]).square() / (2 * sigma * sigma))
        weight = mass * near_y[:, :, None] * near_x[:, None, :]
        total = weight.sum((1, 2)).clamp_min(1e-12)
        x = (weight.sum(1) * grid_x).sum(1) / total
        y = (weight.sum(2) * grid_y).sum(1) / total
        # A mean shift under an equally wide window goes half of the way.
        place = place + 2 * (torch.stack([x, y], -1) - place)
        place = torch.stack([place[:, 0].clamp(0, columns - 1), place[:, 1].clamp(0, rows - 1)], -1)
    far = (
        (grid_x - place[:, :1]).square()[:, None, :] + (grid_y - place[:, 1:]).square()[:, :, None]
    ) > (2 * radius) ** 2
    rival = (maps * far).flatten(1).amax(1)
    sure = peak * (1 - (rival / peak.clamp_min(1e-6)).clamp(0, 1).square())
    return place, sure.clamp(0, 1)
