"""Heat-maps: what is drawn is found again."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.imaging import (
    cells_to_pixels,
    decode_heatmaps,
    heatmap_radius,
    pixels_to_cells,
    render_heatmaps,
)

PLACE = st.floats(8, 50)


@pytest.mark.parametrize(("box", "radius"), [(76, 20), (38, 10), (1, 0)])
def test_radius(box, radius) -> None:
    """The radius of the published boxes of 152 px at strides 2 and 4; never negative."""
    assert heatmap_radius(box) == radius


@settings(max_examples=60, deadline=None)
@given(PLACE, PLACE, st.floats(0.2, 1.0))
def test_drawn_points_are_found(x, y, peak) -> None:
    """A Gaussian of any height decodes to a twentieth of a cell, the box to half a cell and a bit.

    Its confidence is about its peak.
    """
    maps = render_heatmaps(torch.tensor([[x, y]]), (60, 64), radius=6) * peak
    point, sure = decode_heatmaps(maps, radius=6)
    box, _ = decode_heatmaps(maps, method="box", percentile=99)

    assert (point - torch.tensor([[x, y]])).abs().max() < 0.05
    assert (box - torch.tensor([[x, y]])).abs().max() < 1.01
    assert sure.item() == pytest.approx(peak, rel=0.1)


def test_points_at_the_edge() -> None:
    """Points in the outermost cells are found, and stay inside the map."""
    points = torch.tensor([[0.0, 0.0], [63.0, 2.0], [30.0, 59.0]])
    found, _ = decode_heatmaps(render_heatmaps(points, (60, 64), radius=6), radius=6)

    assert (found - points).abs().max() < 1.5
    assert found.min() >= 0


def test_points_outside_and_unknown_points() -> None:
    """The part of a Gaussian that reaches in is drawn; beyond it, and for no point, nothing."""
    points = torch.tensor([[-2.0, 20.0], [-40.0, 20.0], [float("nan"), 3.0], [20.0, 20.0]])
    maps = render_heatmaps(
        points, (40, 40), radius=5, valid=torch.tensor([True, True, True, False])
    )

    assert 0 < maps[0].max() < 1
    assert [maps[i].max().item() for i in (1, 2, 3)] == [0, 0, 0]


def test_noise_does_not_pull() -> None:
    """Low noise everywhere does not draw the point towards the middle of the map."""
    point = torch.tensor([[9.3, 11.6]])
    noise = 0.05 * torch.rand(1, 90, 90, generator=torch.Generator().manual_seed(0))
    maps = render_heatmaps(point, (90, 90), radius=8) * 0.6 + noise
    found, _ = decode_heatmaps(maps, radius=8)

    assert (found - point).abs().max() < 0.2


def test_two_blobs() -> None:
    """The higher blob wins, and the rival takes the confidence away; the box falls in between."""
    high, low = torch.tensor([[15.0, 20.0]]), torch.tensor([[45.0, 20.0]])
    alone = render_heatmaps(high, (40, 60), radius=5)
    maps = torch.maximum(alone, 0.95 * render_heatmaps(low, (40, 60), radius=5))
    found, sure = decode_heatmaps(maps, radius=5)
    box, _ = decode_heatmaps(maps, method="box", percentile=98)

    assert (found - high).abs().max() < 0.05
    assert sure.item() < 0.15
    assert decode_heatmaps(alone, radius=5)[1].item() > 0.95
    assert 20 < box[0, 0] < 40


def test_flat_map_is_unsure() -> None:
    """A map without a peak gives a point of no confidence."""
    _, sure = decode_heatmaps(torch.full((2, 3, 30, 30), 0.4), radius=4)

    assert sure.shape == (2, 3)
    assert sure.max() == 0


def test_centres() -> None:
    """Rounding is half to even, truncation towards zero, as the published systems have it."""
    points = torch.tensor([[10.5, 11.5]])
    peaks = [
        render_heatmaps(points, (30, 30), radius=4, centre=how)[0].argmax().item()
        for how in ("round", "truncate")
    ]

    assert peaks == [12 * 30 + 10, 11 * 30 + 10]


@given(st.floats(-50, 500), st.sampled_from([1, 2, 4, 8]))
def test_cells_and_pixels(x, stride) -> None:
    """Cells and pixels map to each other; the first cell's centre is the centre of its pixels."""
    point = torch.tensor([x], dtype=torch.float64)
    back = cells_to_pixels(pixels_to_cells(point, stride), stride)

    assert back.item() == pytest.approx(x, abs=1e-9)
    assert cells_to_pixels(torch.zeros(1), stride).item() == (stride - 1) / 2
