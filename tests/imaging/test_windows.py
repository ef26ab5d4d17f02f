"""Windows: which values become 0 and 1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from overread.imaging import WindowSpec, percentiles, stretch
from overread.imaging.windows import chain_percentiles, window_limits

BOUNDS = st.tuples(st.floats(0, 49), st.floats(50, 100))


@given(arrays.arrays(np.int16, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12)), BOUNDS)
def test_counting_equals_sorting(pixels, bounds) -> None:
    """Percentiles of whole numbers by counting are numpy's."""
    expected = np.percentile(pixels.astype(float), bounds)

    assert percentiles(pixels, bounds) == pytest.approx(tuple(expected), abs=1e-6)


def test_fixed_window() -> None:
    """A brain window maps 0-80 HU; values outside are clipped."""
    window = WindowSpec(centre=40, width=80)
    pixels = np.array([[-1000, 0, 20, 80, 3000]], np.int16)
    grey = stretch(pixels, *window_limits(pixels, window))

    assert grey.tolist() == [[0, 0, 0.25, 1, 1]]
    assert grey.dtype == np.float32


def test_percentile_window() -> None:
    """Without a centre the percentiles of the slice are the window."""
    pixels = np.arange(101, dtype=np.uint16).reshape(1, -1)

    assert window_limits(pixels, WindowSpec(percentile=(10, 90))) == (10, 90)


def test_constant_slice_is_black() -> None:
    """A slice of one value divides nothing by zero."""
    assert not stretch(np.full((3, 3), 7), 7, 7).any()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"centre": 40}, "both centre and width"),
        ({"centre": 40, "width": 0}, "greater than 0"),
        ({"percentile": (99, 1)}, "rising"),
    ],
)
def test_refused_settings(settings, words) -> None:
    """Half a window, an empty one and falling percentiles are refused."""
    with pytest.raises(ValueError, match=words):
        WindowSpec(**settings)


def test_a_window_along_the_chain_ignores_the_rest():
    """Values far from the points do not count; without points nearby the whole slice does."""
    pixels = np.full((60, 40), 9000, np.int16)
    pixels[:, 15:26] = np.arange(60)[:, None]
    places = np.array([[20.0, 10.0], [20.0, 20.0], [20.0, 30.0]])

    assert chain_percentiles(pixels, places, (0, 100)) == (5, 35)
    assert chain_percentiles(pixels, places + 500, (0, 100)) == (0, 9000)
    assert chain_percentiles(pixels, places[:1], (0, 100)) == (0, 9000)
