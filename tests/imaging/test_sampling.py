"""Sampling: exact on pixel centres, black outside, grey where fine patterns are made small."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.imaging.sampling import Lattice, Source, sample


def ramp(rows: int = 20, columns: int = 24) -> np.ndarray:
    """Values that grow by 0.01 to the right and by 0.02 downwards."""
    y, x = np.mgrid[0:rows, 0:columns]
    return np.asarray((0.01 * x + 0.02 * y).astype(np.float32))


def source(pixels: np.ndarray, limits: tuple[tuple[float, float], ...] = ((0.0, 1.0),)) -> Source:
    """A slice without padding."""
    return Source(pixels, (pixels.shape[0], pixels.shape[1]), limits)


def lattice(centres, down=(0, 1), right=(1, 0), shape=(4, 6)) -> Lattice:
    """Crops with the same steps at several centres."""
    count = len(centres)
    return Lattice(
        np.array(centres, float),
        np.tile(np.array(down, float), (count, 1)),
        np.tile(np.array(right, float), (count, 1)),
        shape,
    )


def test_pixel_centres() -> None:
    """A crop that lies on pixel centres holds their values."""
    found = sample([source(ramp())], lattice([(9.5, 8.5)]))

    np.testing.assert_allclose(found[0, 0], ramp()[7:11, 7:13], atol=3e-4)


@given(st.floats(4, 18), st.floats(4, 15), st.floats(-3.1, 3.1), st.floats(0.3, 0.9))
def test_between_pixels(x, y, angle, step) -> None:
    """Between pixels a linear image is followed exactly, in any direction."""
    right = step * np.array([np.cos(angle), np.sin(angle)])
    down = step * np.array([-np.sin(angle), np.cos(angle)])
    found = sample([source(ramp())], lattice([(x, y)], down, right, (3, 3)))
    i, j = np.mgrid[-1:2, -1:2]
    places = np.array([x, y]) + i[..., None] * down + j[..., None] * right
    expected = places @ np.array([0.01, 0.02])

    np.testing.assert_allclose(found[0, 0], expected, atol=5e-4)


def test_slices_behind_one_another_are_sampled_together() -> None:
    """One lattice for all slices gives what each slice alone gives."""
    rng = np.random.default_rng(0)
    sources = [source(rng.random((20, 24)).astype(np.float32)) for _ in range(3)]
    turned = {"down": (-0.3, 0.9), "right": (0.9, 0.3)}
    together = sample(sources, lattice([(9.3, 8.1)] * 3, **turned))
    alone = [sample([one], lattice([(9.3, 8.1)], **turned))[0] for one in sources]
    apart = sample(sources, lattice([(9.3, 8.1), (9.3, 8.1), (9.4, 8.1)], **turned))

    np.testing.assert_array_equal(together, np.stack(alone))
    np.testing.assert_allclose(apart[:2], together[:2], atol=1e-3)
    assert np.abs(apart[2].astype(float) - together[2]).max() > 1e-3


def test_outside_is_black() -> None:
    """Pixels outside the image are 0, half a pixel outside half; padding is outside too."""
    white = np.ones((10, 10), np.float32)
    padded = Source(white, (10, 6), ((0.0, 1.0),))
    found = sample([padded], lattice([(5.5, 5)], shape=(1, 6)))

    assert found[0, 0, 0].tolist() == [1, 1, 1, 0, 0, 0]
    half = sample([padded], lattice([(5.5, 5)], shape=(1, 1)))
    assert half.item() == pytest.approx(0.5)


def test_nothing_of_the_image() -> None:
    """A crop that misses the image altogether is black."""
    found = sample([source(ramp())], lattice([(-500, 700)]))

    assert found.shape == (1, 1, 4, 6)
    assert not found.any()


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_stripes_become_grey(factor) -> None:
    """Stripes of one pixel leave at most a faint beat when they are made smaller."""
    stripes = (np.indices((60, 60))[1] % 2).astype(np.float32)
    found = sample([source(stripes)], lattice([(29.5, 29.5)], (0, factor), (factor, 0), (12, 12)))

    assert np.abs(found.astype(float) - 0.5).max() < 0.18


def test_smaller_images_keep_their_mean() -> None:
    """Making an image four times smaller averages it."""
    noise = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    found = sample([source(noise)], lattice([(31.5, 31.5)], (0, 4), (4, 0), (16, 16)))

    assert found.mean() == pytest.approx(noise.mean(), abs=0.01)
    assert found.std() < 0.5 * noise.std()


def test_channels_window_by_window() -> None:
    """Colours of the first window come first, then those of the second."""
    pixels = np.zeros((6, 6, 3), np.uint8)
    pixels[...] = (10, 20, 30)
    found = sample([source(pixels, ((0, 40), (0, 100)))], lattice([(3, 3)], shape=(1, 1)))

    np.testing.assert_allclose(found.ravel(), [0.25, 0.5, 0.75, 0.1, 0.2, 0.3], atol=1e-3)


def test_slices_of_different_sizes() -> None:
    """Small and large slices stand in one cut; each is sampled at its own place."""
    small, large = ramp(8, 8), ramp(30, 30)
    found = sample(
        [source(small), source(large)], lattice([(3.5, 3.5), (20.5, 20.5)], shape=(2, 2))
    )

    np.testing.assert_allclose(found[0, 0], small[3:5, 3:5], atol=3e-4)
    np.testing.assert_allclose(found[1, 0], large[20:22, 20:22], atol=5e-4)
