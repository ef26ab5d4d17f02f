"""Heat-maps as networks learn them; what is drawn is found again in the tests of peaks."""

import pytest
import torch

from overread.imaging import heatmap_radius, render_heatmaps


@pytest.mark.parametrize(("box", "radius"), [(76, 20), (38, 10), (1, 0)])
def test_radius(box, radius) -> None:
    """The radius of the published boxes of 152 px at strides 2 and 4; never negative."""
    assert heatmap_radius(box) == radius


def test_points_outside_and_unknown_points() -> None:
    """The part of a Gaussian that reaches in is drawn; beyond it, and for no point, nothing."""
    points = torch.tensor([[-2.0, 20.0], [-40.0, 20.0], [float("nan"), 3.0], [20.0, 20.0]])
    maps = render_heatmaps(
        points, (40, 40), radius=5, valid=torch.tensor([True, True, True, False])
    )

    assert 0 < maps[0].max() < 1
    assert [maps[i].max().item() for i in (1, 2, 3)] == [0, 0, 0]


def test_centres() -> None:
    """Rounding is half to even, truncation towards zero, as the published systems have it."""
    points = torch.tensor([[10.5, 11.5]])
    peaks = [
        render_heatmaps(points, (30, 30), radius=4, centre=how)[0].argmax().item()
        for how in ("round", "truncate")
    ]

    assert peaks == [12 * 30 + 10, 11 * 30 + 10]
