"""Random geometry: where each output pixel is fetched, one field a sample.

Coordinates are (x, y) shares of the output image: -1 and 1 are its outer edges. Pixel values are
not known here. All draws come from one generator, on its device.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from overread.imaging.augment_spec import AugmentSpec

__all__ = [
    "Places",
    "affine_matrices",
    "chance",
    "draw_places",
    "identity_grid",
    "moved",
    "uniform",
]

LENS, GRID, ELASTIC = range(3)
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
    y, x = _lines(shape, device)
    return torch.stack([x.expand(shape), y.expand(shape)], -1)


def _lines(shape: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the coordinates of the centres of rows, (rows, 1), and of columns, (1, columns)."""
    y, x = ((torch.arange(size, device=device) * 2 + 1) / size - 1 for size in shape)
    return y[:, None], x[None]


@dataclass(frozen=True, eq=False)
class Places:
    """Where the pixels of B samples are fetched: a distortion or none, then an affine map.

    Attributes:
        matrix: (B, 2, 3) from output to input coordinates.
        kind: distortion of each sample: LENS, GRID or ELASTIC; -1 for none.
        lens: strength of each sample's lens.
        steps: (B, 2, steps) lengths of the grid's steps along x and y.
        knots: (B, 2, knots, knots) shifts along x and y of the smooth field's knots.
    """

    matrix: Tensor
    kind: tuple[int, ...]
    lens: tuple[float, ...]
    steps: Tensor
    knots: Tensor

    def still(self, part: slice) -> bool:
        """Tell whether nothing moves in some of the samples."""
        plain = torch.eye(2, 3, device=self.matrix.device)
        return max(self.kind[part]) < 0 and bool((self.matrix[part] == plain).all())

    def grid(self, part: slice, shape: tuple[int, int], window: Tensor | None = None) -> Tensor:
        """Return the coordinates of some of the samples, (n, rows, columns, 2).

        Args:
            part: which samples.
            shape: rows and columns.
            window: (2, 2) scale and shift of x and of y that come last; None = neither.
        """
        matrix = self.matrix[part]
        if window is not None:
            matrix = matrix * window[:, :1]
            matrix[:, :, 2] += window[:, 1]
        first, last, _ = part.indices(len(self.kind))
        result = torch.empty(last - first, 2, *shape, device=matrix.device)
        y, x = _lines(shape, matrix.device)
        for place, ((xx, xy, x0), (yx, yy, y0)) in enumerate(matrix.tolist()):
            across, down = self._displaced(first + place, x, y)
            torch.add(across * xx + x0, down, alpha=xy, out=result[place, 0])
            torch.add(down * yy + y0, across, alpha=yx, out=result[place, 1])
        return result.permute(0, 2, 3, 1)

    def _displaced(self, sample: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return x (1, columns) and y (rows, 1) of a sample distorted, as large as they must be."""
        kind = self.kind[sample]
        if kind == LENS:
            radius = (x / 2).square() + (y / 2).square()
            power = (radius + radius.square()).mul_(self.lens[sample]).add_(1)
            return x * power, y * power
        if kind == GRID:
            across, down = self.steps[sample]
            return x + _stretching(across, x.numel())[None], y + _stretching(down, y.numel())[
                :, None
            ]
        if kind == ELASTIC:
            rows, columns = (_knot_weights(line.numel(), x.device) for line in (y, x))
            across, down = rows @ self.knots[sample] @ columns.T
            return x + across, y + down
        return x, y


def draw_places(
    count: int, spec: AugmentSpec, generator: torch.Generator, *, ratio: float = 1.0
) -> Places:
    """Draw where pixels are fetched.

    Each distorted sample gets one of those distortions that have an amplitude: a lens (radial, as
    OpenCV's distortion model with k1 = k2), a grid whose five steps vary along each axis, or a
    smooth random field.

    Args:
        count: of samples.
        spec: of place and distortion.
        generator: of the draws.
        ratio: height over width of the image in pixels, so that rotation is rigid.
    """
    matrix = affine_matrices(count, spec, generator, ratio=ratio)
    happens = chance(count, spec.distort_p, generator)
    kinds = torch.tensor([LENS, GRID] * (spec.distort > 0) + [ELASTIC] * (spec.elastic > 0) or [-1])
    which = torch.randint(len(kinds), (count,), generator=generator, device=generator.device)
    kind = torch.where(happens, kinds.to(generator.device)[which], -1)
    lens = uniform((count,), -spec.distort, spec.distort, generator)
    steps = uniform((count, 2, GRID_STEPS), 1 - spec.distort, 1 + spec.distort, generator)
    knots = uniform((count, 2, ELASTIC_KNOTS, ELASTIC_KNOTS), -1, 1, generator)
    knots = knots * (2 * spec.elastic)
    return Places(matrix, tuple(kind.tolist()), tuple(lens.tolist()), steps, knots)


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


def _stretching(steps: Tensor, size: int) -> Tensor:
    """Return the shifts (size,) of piecewise linear stretching along an axis."""
    steps = steps.clamp_min(0.05)
    ends = functional.pad(steps.cumsum(0) / steps.sum(), (1, 0))
    place = (torch.arange(size, device=steps.device) + 0.5) / size
    cell = (place * GRID_STEPS).long().clamp(max=GRID_STEPS - 1)
    share = place * GRID_STEPS - cell
    there = ends[cell] + (ends[cell + 1] - ends[cell]) * share
    return 2 * (there - place)
