"""Points as heat-maps, as networks learn them; `peaks` finds them again.

Coordinates are cells of the map as (x, y) = (column, row); the centre of the first cell is (0, 0).
Patients are not known here.
"""

import math
from typing import Literal

import torch
from torch import Tensor

__all__ = ["heatmap_radius", "pixels_to_cells", "render_heatmaps"]

Centre = Literal["exact", "round", "truncate"]


def pixels_to_cells(points_px: Tensor, stride: int) -> Tensor:
    """Map image pixels to cells of a map that is `stride` times coarser (centres on centres)."""
    return (points_px + 0.5) / stride - 0.5


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
