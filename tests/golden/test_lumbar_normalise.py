"""The percentile stretch equals the original's, to one grey level."""

from pathlib import Path

import numpy as np
import pytest
from golden_files import generated, golden_files, record

from overread.imaging import percentiles, stretch

FILES = golden_files("lumbar_normalise")


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_stretch(path: Path, dtype: type) -> None:
    """Percentiles are exact for counted and for sorted values; pixels agree to rounding."""
    golden = record(path)
    with np.load(path) as file:
        expected = [file[f"out{i}"] for i in range(len(golden["inputs"]))]
    for case, wanted in zip(golden["inputs"], expected, strict=True):
        pixels = generated(case).astype(dtype)
        low, high = percentiles(pixels, (0.1, 99.9))
        grey = np.floor(stretch(pixels, low, high) * 255)
        differing = grey != wanted

        assert (low, high) == pytest.approx((case["p0_1"], case["p99_9"]))
        assert np.abs(grey - wanted).max() <= golden["tolerance"]["max_abs"]
        assert differing.mean() <= golden["tolerance"]["share_of_pixels_differing"]


def test_constant_slice() -> None:
    """A slice of one value becomes black instead of dividing by zero."""
    flat = np.full((8, 8), 37, np.uint16)

    assert stretch(flat, *percentiles(flat, (0.1, 99.9))).max() == 0
