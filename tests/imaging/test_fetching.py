"""Values at fractional places are the same in both engines."""

import subprocess
import sys

import numpy as np
import pytest

from overread.imaging import fetching
from overread.imaging.fetching import fetch_with_numpy, fetch_with_torch

WITHOUT_TORCH = """
import sys
import numpy as np
from overread.imaging.fetching import fetch
from overread.imaging.sampling import Lattice, Source, sample
ones = np.ones((1, 2))
sample([Source(np.eye(9), (9, 9), ((0.0, 1.0),))], Lattice(ones * 4, ones, -ones, (3, 3)))
sys.exit("torch" in sys.modules)
"""


@pytest.mark.parametrize("shape", [(1, 1, 2, 2), (3, 2, 17, 30), (2, 5, 64, 41)])
@pytest.mark.parametrize("places", [(1, 1), (24, 31)])
def test_engines_agree(shape, places) -> None:
    """Within images, at their edges and beyond them, to rounding; as they are kept, to the bit."""
    chance = np.random.default_rng(len(shape) * places[0])
    images = chance.random(shape, np.float32)
    grid = chance.uniform(-1.3, 1.3, (shape[0], *places, 2)).astype(np.float32)
    grid[0, 0, 0] = (-1, 1)
    expected, found = fetch_with_torch(images, grid), fetch_with_numpy(images, grid)

    assert found.shape == (*shape[:2], *places)
    np.testing.assert_allclose(found, expected, atol=2e-7)
    alike = found.astype(np.float16) == expected.astype(np.float16)
    assert alike.mean() > 0.999


def test_whole_places_give_the_pixels() -> None:
    """The corners of the grid are the centres of the outermost pixels; outside lies zero."""
    image = np.arange(1, 7, dtype=np.float32).reshape(1, 1, 2, 3)
    y, x = np.meshgrid([-1, 1], [-1, 0, 1], indexing="ij")
    grid = np.stack([x, y], -1)[None].astype(np.float32)

    np.testing.assert_array_equal(fetch_with_numpy(image, grid), image)
    assert not fetch_with_numpy(image, grid + np.float32(5)).any()


def test_torch_is_not_opened_for_it(monkeypatch) -> None:
    """Where nothing has opened torch, crops are sampled without it; else it samples them."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=False)

    assert done.returncode == 0
    monkeypatch.setattr(fetching, "fetch_with_torch", lambda *_: "torch")
    monkeypatch.setitem(sys.modules, "torch", sys)
    assert fetching.fetch(np.zeros((1, 1, 2, 2)), np.zeros((1, 1, 1, 2))) == "torch"
