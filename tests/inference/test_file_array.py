"""Arrays on disk are read in part, and hold no file open."""

from pathlib import Path

import numpy as np
import pytest

from overread.inference.file_array import FileArray


def test_parts_are_those_of_the_array(tmp_path: Path) -> None:
    """One row, several, and the whole."""
    array = np.random.default_rng(1).random((5, 3, 4)).astype(np.float16)
    np.save(tmp_path / "a.npy", array)
    found = FileArray(tmp_path / "a.npy")

    np.testing.assert_array_equal(array[2], found[2])
    np.testing.assert_array_equal(array[1:, 0], found[1:, 0])
    np.testing.assert_array_equal(array, np.asarray(found))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")
def test_a_thousand_arrays_hold_no_file_open(tmp_path: Path) -> None:
    """A process may have about a thousand files open, and a training has more studies."""
    np.save(tmp_path / "a.npy", np.arange(10.0))
    before = len(list(Path("/proc/self/fd").iterdir()))
    arrays = [FileArray(tmp_path / "a.npy") for _ in range(1000)]
    total = sum(float(array[3]) for array in arrays)

    assert total == 3000
    assert len(list(Path("/proc/self/fd").iterdir())) - before < 10


def test_columns_first_are_refused(tmp_path: Path) -> None:
    """They would be read as rows."""
    np.save(tmp_path / "a.npy", np.asfortranarray(np.zeros((2, 3))))

    with pytest.raises(ValueError, match="row order"):
        FileArray(tmp_path / "a.npy")[0]


def test_a_file_cut_short_is_named(tmp_path: Path) -> None:
    """Numbers that are not there are not made up."""
    path = tmp_path / "a.npy"
    np.save(path, np.arange(10.0))
    path.write_bytes(path.read_bytes()[:-8])

    with pytest.raises(ValueError, match=r"a\.npy: found 72 bytes"):
        FileArray(path)[0]
