"""Random geometry: where each output pixel is fetched, one field a sample.

Coordinates are (x, y) shares of the output image: -1 and 1 are its outer edges. Pixel values are
not known here. All draws come from one generator, on its device.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from overread.imaging.augment_spec import AugmentSpec

__all__ = ["affine_matrices", "chance", "distortions", "identity_grid", "moved", "uniform"]

GRID_STEPS = 5
ELASTIC_KNOTS = 4


def uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Draw numbers evenly between `low` and `high`, on the generator's device."""
    draws = torch.rand(shape, generator=generator, device=generator.device)
    return draws * (high - low) + low


def chance(count: int, probability: float, generator: torch.Generator) -> Tensor:
    """Draw whether something happens to each of `count` samples."""
    return uniform((count,), 0, 1, generator) < probability


def affine_matrices(
    count: int, spec: AugmentSpec, generator: torch.Generator, *, ratio: float = 1.0
) -> Tensor:
    """Draw affine maps from output to input coordinates, (count, 2, 3).

    Args:
        count: of samples.
        spec: shift, scale, stretch and rotation, and their probability.
        generator: of the draws.
        ratio: height over width of the image in pixels, so that rotation is rigid.
    """
    draw = uniform((count, 5), -1, 1, generator)
    draw = draw * chance(count, spec.place_p, generator)[:, None]
    angle = draw[:, 0] * math.radians(spec.rotate)
    size = 1 + draw[:, 1] * spec.scale
    stretch = 1 + draw[:, 2] * spec.stretch
    matrix = torch.zeros(count, 2, 3, device=draw.device)
    matrix[:, 0, 0] = angle.cos() / size * stretch
    matrix[:, 0, 1] = -angle.sin() / size * ratio
    matrix[:, 1, 0] = angle.sin() / size / ratio
    matrix[:, 1, 1] = angle.cos() / size / stretch
    matrix[:, :, 2] = draw[:, 3:] * 2 * spec.shift
    return matrix


def identity_grid(shape: tuple[int, int], device: torch.device) -> Tensor:
    """Return the coordinates of the centres of all pixels, (rows, columns, 2)."""
    y, x = ((torch.arange(size, device=device) * 2 + 1) / size - 1 for size in shape)
    return torch.stack([x[None, :].expand(shape), y[:, None].expand(shape)], -1)


def distortions(
    count: int, shape: tuple[int, int], spec: AugmentSpec, generator: torch.Generator
) -> Tensor | None:
    """Draw displacement fields, (count, rows, columns, 2), or None when nothing is distorted.

    Each distorted sample gets one of those that have an amplitude: a lens (radial, as OpenCV's
    distortion model with k1 = k2), a grid whose five steps vary along each axis, or a smooth
    random field.
    """
    happens = chance(count, spec.distort_p, generator)
    kinds = torch.tensor([0, 1] * (spec.distort > 0) + [2] * (spec.elastic > 0) or [0])
    which = torch.randint(len(kinds), (count,), generator=generator, device=generator.device)
    kind = kinds.to(generator.device)[which]
    lens = uniform((count,), -spec.distort, spec.distort, generator)
    steps = uniform((count, 2, GRID_STEPS), 1 - spec.distort, 1 + spec.distort, generator)
    knots = uniform((count, 2, ELASTIC_KNOTS, ELASTIC_KNOTS), -1, 1, generator)
    if spec.distort_p == 0:
        return None
    grid = identity_grid(shape, generator.device)
    radius = (grid / 2).square().sum(-1, keepdim=True)
    power = radius + radius.square()
    lens = lens * (happens & (kind == 0))
    field = grid[None] * (power[None] * lens[:, None, None, None])
    field = field + _grid_field(steps, shape) * (happens & (kind == 1))[:, None, None, None]
    knots = knots * (2 * spec.elastic * (happens & (kind == 2)))[:, None, None, None]
    rows, columns = (_knot_weights(size, knots.device) for size in shape)
    return field + (rows @ knots @ columns.T).permute(0, 2, 3, 1)


def _knot_weights(size: int, device: torch.device) -> Tensor:
    """Return how much each knot counts at each place along an axis, (size, knots): bicubic."""
    eye = torch.eye(ELASTIC_KNOTS, device=device)[None, None]
    shape = (size, ELASTIC_KNOTS)
    return functional.interpolate(eye, shape, mode="bicubic", align_corners=True)[0, 0]


def moved(places: Tensor, matrices: Tensor) -> Tensor:
    """Return coordinates (n or 1, rows, columns, 2) under affine maps (n, 2, 3)."""
    x, y = places.unbind(-1)
    lines = [
        matrices[:, i, 0, None, None] * x
        + matrices[:, i, 1, None, None] * y
        + matrices[:, i, 2, None, None]
        for i in range(2)
    ]
    return torch.stack(lines, -1)


def _grid_field(steps: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return the displacement of piecewise linear stretching along each axis."""
    steps = steps.clamp_min(0.05)
    ends = functional.pad(steps.cumsum(-1) / steps.sum(-1, keepdim=True), (1, 0))
    lines = []
    for axis, size in ((0, shape[1]), (1, shape[0])):
        place = (torch.arange(size, device=steps.device) + 0.5) / size
        cell = (place * GRID_STEPS).long().clamp(max=GRID_STEPS - 1)
        share = place * GRID_STEPS - cell
        along = ends[:, axis]
        there = along[:, cell] + (along[:, cell + 1] - along[:, cell]) * share
        lines.append(2 * (there - place))
    x, y = lines[0][:, None, :], lines[1][:, :, None]
    full = (len(steps), *shape)
    return torch.stack([x.expand(full), y.expand(full)], -1)
