"""Answers for neighbouring slices, averaged."""

import numpy as np
import pytest

from overread.ensembling.offset_targets import average_offsets


def test_each_offset_counts_once():
    """A slice in the middle is the mean of its own answer and of those from both sides."""
    said = np.arange(9, dtype=float).reshape(3, 3, 1)
    found = average_offsets(said, np.zeros(3, np.int64), (0, -1, 1))

    # Slice 1: its own (3), slice 2 of the one before it (7), slice 0 of the one behind it (2).
    assert found[1, 0] == pytest.approx((3 + 7 + 2) / 3)
    assert found[0, 0] == pytest.approx((0 + 4) / 2)


def test_answers_beyond_the_end_count_for_the_nearest():
    """With "nearest" the last slice hears what was meant for slices that are not there."""
    said = np.array([[[0.1], [0.9]], [[0.3], [0.5]]])
    found = average_offsets(said, np.zeros(2, np.int64), (0, 2), beyond="nearest")

    assert found[:, 0].tolist() == pytest.approx([0.1, (0.3 + (0.9 + 0.5) / 2) / 2])


def test_scans_do_not_hear_each_other():
    """Single slices in scans of their own keep their own answers."""
    said = np.random.default_rng(0).random((4, 3, 2))

    assert average_offsets(said, np.arange(4), (0, -1, 1)) == pytest.approx(said[:, 0])
