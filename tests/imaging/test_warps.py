"""Random geometry: within its limits, where it should be, and nothing by default."""

import math

import pytest
import torch

from overread.imaging import AugmentSpec
from overread.imaging.warps import affine_matrices, draw_places, identity_grid, moved

COUNT = 400


def seeded(seed: int = 0) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(seed)


def fields(
    count: int, shape: tuple[int, int], spec: AugmentSpec, generator: torch.Generator
) -> torch.Tensor:
    """How far distortion alone moves the pixels of each sample, (count, rows, columns, 2)."""
    places = draw_places(count, spec, generator).grid(slice(None), shape)
    return places - identity_grid(shape, torch.device("cpu"))


def test_nothing_by_default() -> None:
    """Plain settings give identity maps and no fields."""
    matrix = affine_matrices(3, AugmentSpec(), seeded())
    grid = identity_grid((5, 7), torch.device("cpu"))

    assert torch.equal(matrix, torch.eye(2, 3).expand(3, 2, 3))
    places = draw_places(3, AugmentSpec(), seeded())
    assert places.still(slice(None))
    assert torch.equal(places.grid(slice(None), (5, 7)), grid.expand(3, 5, 7, 2))
    assert torch.equal(moved(grid[None], matrix), grid.expand(3, 5, 7, 2))


def test_grid_is_of_pixel_centres() -> None:
    """The outer edges are -1 and 1; centres lie half a pixel inside."""
    grid = identity_grid((2, 4), torch.device("cpu"))

    assert grid[0, :, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert grid[:, 0, 1].tolist() == [-0.5, 0.5]


def test_probability() -> None:
    """About the share of samples that was asked for is moved."""
    matrix = affine_matrices(COUNT, AugmentSpec(rotate=9, place_p=0.3), seeded())
    share = (matrix[:, 0, 1] != 0).float().mean().item()

    assert share == pytest.approx(0.3, abs=0.07)


def test_rotation_is_rigid() -> None:
    """In pixels of oblong images too, rotation keeps lengths and stays within its limit."""
    height, width = 40, 80
    spec = AugmentSpec(rotate=25, place_p=1)
    matrix = affine_matrices(COUNT, spec, seeded(), ratio=height / width)[:, :, :2]
    size = torch.tensor([width, height]).float()
    pixels = matrix * size[:, None] / size
    angle = torch.atan2(pixels[:, 1, 0], pixels[:, 0, 0]).abs() * 180 / math.pi

    torch.testing.assert_close(
        pixels @ pixels.transpose(1, 2), torch.eye(2).expand(COUNT, 2, 2), atol=1e-5, rtol=0
    )
    assert 20 < angle.max() <= 25


def test_scale_stretch_and_shift() -> None:
    """Scale and stretch stay within their limits; shifts are shares of the side."""
    spec = AugmentSpec(scale=0.2, place_p=1)
    factor = 1 / affine_matrices(COUNT, spec, seeded())[:, 0, 0]
    stretch = affine_matrices(COUNT, AugmentSpec(stretch=0.3, place_p=1), seeded())
    shift = affine_matrices(COUNT, AugmentSpec(shift=0.1, place_p=1), seeded())[:, :, 2]

    assert factor.min() >= 0.8 - 1e-6
    assert factor.max() <= 1.2 + 1e-6
    torch.testing.assert_close(stretch[:, 0, 0] * stretch[:, 1, 1], torch.ones(COUNT))
    assert 0.19 < shift.abs().max() <= 0.2


def test_kinds_of_distortion() -> None:
    """A lens leaves the middle, a grid the corners; a smooth field keeps to its amplitude."""
    shape = (33, 33)
    lens = fields(COUNT, shape, AugmentSpec(distort=0.8, distort_p=1), seeded())
    corner = lens[:, 0, 0].abs().amax(-1)
    middle = lens[:, 16, 16].abs().amax(-1)
    smooth = fields(COUNT, shape, AugmentSpec(elastic=0.04, distort_p=1), seeded())
    some = fields(COUNT, shape, AugmentSpec(elastic=0.04, distort_p=0.3), seeded())
    share = (some.abs().amax((1, 2, 3)) > 0).float().mean().item()

    lenses = (middle < 1e-6) & (corner > 0.01)
    assert lenses.float().mean().item() == pytest.approx(0.5, abs=0.08)
    assert ((middle > 0.02) & (corner < 0.06)).any()
    assert (smooth.abs().amax((1, 2, 3)) > 0).all()
    assert smooth.abs().max() < 2 * 0.04 * 1.5
    assert share == pytest.approx(0.3, abs=0.07)


@pytest.mark.parametrize("settings", [{"distort": 1.0}, {"elastic": 0.05}])
def test_fields_do_not_fold(settings) -> None:
    """Under the strongest grid and smooth fields neighbouring pixels keep their order."""
    shape = (32, 32)
    spec = AugmentSpec(**settings, distort_p=1)
    field = fields(64, shape, spec, seeded(3))
    places = identity_grid(shape, torch.device("cpu")) + field
    lens = (field[:, 0, 0].abs().amax(-1) > 0.2) & ("distort" in settings)

    assert (places[~lens, :, 1:, 0] - places[~lens, :, :-1, 0]).min() > 0
    assert (places[~lens, 1:, :, 1] - places[~lens, :-1, :, 1]).min() > 0


def test_seed() -> None:
    """The same seed gives the same maps and fields; the next draws differ."""
    spec = AugmentSpec(preset="C")
    one, two = seeded(5), seeded(5)

    assert torch.equal(affine_matrices(8, spec, one), affine_matrices(8, spec, two))
    assert torch.equal(fields(8, (9, 9), spec, one), fields(8, (9, 9), spec, two))
    assert not torch.equal(affine_matrices(8, spec, one), affine_matrices(8, spec, seeded(5)))


def test_places_are_distorted_then_mapped() -> None:
    """Distortion comes first, the affine map of the sample next, the window last."""
    shape, part = (12, 20), slice(2, 30)
    spec = AugmentSpec(preset="C", stretch=0.2, place_p=0.8)
    places = draw_places(40, spec, seeded(2), ratio=0.6)
    alone = draw_places(40, spec.model_copy(update={"place_p": 0.0}), seeded(2), ratio=0.6)
    window = torch.tensor([[0.8, 0.1], [0.5, -0.2]])
    found = places.grid(part, shape, window)
    plain = moved(alone.grid(part, shape), places.matrix[part])

    assert set(places.kind) == {-1, 0, 1, 2}
    torch.testing.assert_close(found, plain * window[:, 0] + window[:, 1], atol=2e-6, rtol=0)


def test_still_samples() -> None:
    """A sample is still where nothing moves it; a part is where all of its samples are."""
    places = draw_places(60, AugmentSpec(preset="A"), seeded())
    still = [places.still(slice(i, i + 1)) for i in range(60)]
    grid = identity_grid((6, 8), torch.device("cpu"))
    same = [torch.equal(places.grid(slice(i, i + 1), (6, 8))[0], grid) for i in range(60)]

    assert still == same
    assert 5 < sum(still) < 30
    assert not places.still(slice(None))
