"""Which slices a channel shows, in the middle and at the ends of a scan."""

import pytest

from overread.imaging.neighbours import neighbours


@pytest.mark.parametrize(
    ("place", "offsets", "boundary", "expected"),
    [
        (5, (0,), "nearest", (5,)),
        (5, (-2,), "nearest", (3,)),
        (0, (-1,), "nearest", (0,)),
        (1, (-2,), "nearest", (0,)),
        (1, (-2,), "self", (1,)),
        (1, (-2,), "blank", ()),
        (9, (2,), "nearest", (9,)),
        (8, (5,), "nearest", (9,)),
        (1, (-3, -2, -1), "nearest", (0,)),
        (0, (-3, -2, -1), "nearest", (0,)),
        (8, (-1, 1), "blank", (7, 9)),
        (9, (-1, 1), "blank", (8,)),
    ],
)
def test_ends_of_a_scan(place, offsets, boundary, expected):
    """Missing slices leave a mean; an empty channel shows what the boundary says."""
    assert expected == neighbours(place, 10, offsets, boundary)


def test_a_lone_slice_is_its_own_neighbour():
    """A scan of one slice shows it in every channel, unless ends are blank."""
    assert {(0,)} == {neighbours(0, 1, (step,), "nearest") for step in range(-3, 4)}
    assert neighbours(0, 1, (1,), "blank") == ()
