"""Slice choice: even, central, nearest, and the same from either side."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.imaging import SliceSpec, resample_slices
from overread.imaging.slices import central_slices, fill_slots, nearest_slices, side_slices

NUM = st.integers(1, 40)


def lower(first: int, second: int) -> int:
    """A tie goes to the first slice."""
    return min(first, second)


def upper(first: int, second: int) -> int:
    """A tie goes to the second slice: the mirror of `lower`."""
    return max(first, second)


@given(NUM, st.integers(1, 20))
def test_resampling_is_symmetric(num, count) -> None:
    """Read backwards, the choice is the same, but for ties in the middle."""
    one = resample_slices(num, count, lower)
    other = resample_slices(num, count, upper)

    assert (num - 1 - one[::-1]).tolist() == other.tolist()
    assert (np.diff(one) >= 0).all()
    assert 0 <= one[0] <= one[-1] < num


@given(NUM, st.integers(2, 20))
def test_resampling_is_as_published_but_for_halves(num, count) -> None:
    """Where no place falls half way between slices, the symmetric choice is the published one."""
    exact = np.linspace(0, num - 1, count)
    clear = np.abs(exact - np.floor(exact) - 0.5) > 1e-9
    found = resample_slices(num, count, lower)

    assert found[clear].tolist() == resample_slices(num, count)[clear].tolist()
    assert np.abs(found - exact).max() <= 0.5 + 1e-9


def test_one_slot_gets_the_middle() -> None:
    """A single slot shows the middle slice, not the first."""
    assert resample_slices(7, 1, lower).tolist() == [3]
    assert resample_slices(8, 1, lower).tolist() == [3]
    assert resample_slices(8, 1, upper).tolist() == [4]


@pytest.mark.parametrize(
    ("num", "kept"), [(1, [0]), (2, [0, 1]), (4, [1, 2]), (7, [1, 2, 3, 4, 5])]
)
def test_central_half(num, kept) -> None:
    """A quarter of the slices, rounded down, goes at either end."""
    assert central_slices(num, 0.5).tolist() == kept


def test_whole_fraction() -> None:
    """The whole stack is its own centre."""
    assert central_slices(5, 1.0).tolist() == [0, 1, 2, 3, 4]


@given(st.lists(st.floats(-80, 80), min_size=1, max_size=30), st.integers(1, 12))
def test_nearest(offsets, count) -> None:
    """No slice that is left out is nearer than one that is taken; the order stays."""
    found = nearest_slices(offsets, count, lower)
    left = np.delete(np.abs(offsets), found)

    assert found.tolist() == sorted(set(found.tolist()))
    assert len(found) == min(count, len(offsets))
    if len(left):
        assert np.abs(offsets)[found].max() <= left.min() + 2e-6


def test_nearest_asks_for_ties() -> None:
    """Of two equally near slices the tie rule picks one."""
    assert nearest_slices([-4, 0, 4], 2, lower).tolist() == [0, 1]
    assert nearest_slices([-4, 0, 4], 2, upper).tolist() == [1, 2]


def test_slots_stay_empty_at_the_ends() -> None:
    """Few slices stand in the middle of the slots; the odd empty slot follows the slices' side."""
    assert fill_slots([0, 1], [-1, 1], 4, lower) == [None, 0, 1, None]
    assert fill_slots([0, 1], [-1, 3], 5, lower) == [None, None, 0, 1, None]
    assert fill_slots([0, 1], [-3, 1], 5, lower) == [None, 0, 1, None, None]
    assert fill_slots([], [], 2, lower) == [None, None]


def test_settings() -> None:
    """A view needs a slot at least, and a share within 0-1."""
    with pytest.raises(ValueError, match="greater than 0"):
        SliceSpec(count=0)
    with pytest.raises(ValueError, match="less than or equal to 1"):
        SliceSpec(count=1, fraction=1.5)


@pytest.mark.parametrize("count", [1, 4, 5])
@pytest.mark.parametrize("num", [1, 2, 5, 8, 9])
@pytest.mark.parametrize("fill", ["repeat", "mask"])
def test_sides_mirror_each_other(num, count, fill) -> None:
    """The slots of the last side are those of the first, read backwards from the other edge."""
    slots = side_slices(num, 0.5, SliceSpec(count=count, fill=fill))
    mirrored = [None if slot is None else num - 1 - slot for slot in reversed(slots)]

    assert 2 * count == len(slots)
    assert mirrored == slots
    assert {slot for slot in slots[:count] if slot is not None} <= set(range((num + 1) // 2))


def test_empty_slots_of_a_side_are_in_the_middle() -> None:
    """Where a side has fewer slices than slots, the slots near the midline stay empty."""
    assert side_slices(4, 0.5, SliceSpec(count=3, fill="mask")) == [0, 1, None, None, 2, 3]
