"""Heat-maps: what is drawn is found again."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.imaging import cells_to_pixels, decode_heatmaps, pixels_to_cells, render_heatmaps

PLACE = st.floats(8, 50)


def drawn(points: Sequence[Sequence[float]], shape: tuple[int, int], *, radius: int) -> np.ndarray:
    """Maps with a Gaussian each."""
    return render_heatmaps(torch.tensor(points), shape, radius=radius).numpy()


@settings(max_examples=60, deadline=None)
@given(PLACE, PLACE, st.floats(0.2, 1.0))
def test_drawn_points_are_found(x, y, peak) -> None:
    """A Gaussian of any height decodes to a twentieth of a cell, the box to half a cell and a bit.

    Its confidence is about its peak.
    """
    maps = drawn([[x, y]], (60, 64), radius=6) * peak
    point, sure = decode_heatmaps(maps, radius=6)
    box, _ = decode_heatmaps(maps, method="box", percentile=99)

    assert np.abs(point - [x, y]).max() < 0.05
    assert np.abs(box - [x, y]).max() < 1.01
    assert sure.item() == pytest.approx(peak, rel=0.1)


def test_points_at_the_edge() -> None:
    """Points in the outermost cells are found, and stay inside the map."""
    points = [[0.0, 0.0], [63.0, 2.0], [30.0, 59.0]]
    found, _ = decode_heatmaps(drawn(points, (60, 64), radius=6), radius=6)

    assert np.abs(found - points).max() < 1.5
    assert found.min() >= 0


def test_noise_does_not_pull() -> None:
    """Low noise everywhere does not draw the point towards the middle of the map."""
    point = [[9.3, 11.6]]
    noise = 0.05 * np.random.default_rng(0).random((1, 90, 90))
    maps = drawn(point, (90, 90), radius=8) * 0.6 + noise
    found, _ = decode_heatmaps(maps, radius=8)

    assert np.abs(found - point).max() < 0.2


def test_two_blobs() -> None:
    """The higher blob wins, and the rival takes the confidence away; the box falls in between."""
    high, low = [[15.0, 20.0]], [[45.0, 20.0]]
    alone = drawn(high, (40, 60), radius=5)
    maps = np.maximum(alone, 0.95 * drawn(low, (40, 60), radius=5))
    found, sure = decode_heatmaps(maps, radius=5)
    box, _ = decode_heatmaps(maps, method="box", percentile=98)

    assert np.abs(found - high).max() < 0.05
    assert sure.item() < 0.15
    assert decode_heatmaps(alone, radius=5)[1].item() > 0.95
    assert 20 < box[0, 0] < 40


def test_flat_map_is_unsure() -> None:
    """A map without a peak gives a point of no confidence."""
    _, sure = decode_heatmaps(np.full((2, 3, 30, 30), 0.4), radius=4)

    assert sure.shape == (2, 3)
    assert sure.max() == 0


@given(st.floats(-50, 500), st.sampled_from([1, 2, 4, 8]))
def test_cells_and_pixels(x, stride) -> None:
    """Cells and pixels map to each other; the first cell's centre is the centre of its pixels."""
    cells = pixels_to_cells(torch.tensor([x], dtype=torch.float64), stride).numpy()
    back = cells_to_pixels(cells, stride)

    assert back.item() == pytest.approx(x, abs=1e-9)
    assert cells_to_pixels(np.zeros(1), stride).item() == (stride - 1) / 2
