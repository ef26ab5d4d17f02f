"""Axial slices find their discs: tilted, shuffled, moved, with discs missing."""

import numpy as np
import pytest
from field_study import AXIAL, LEVELS, discs, field_stack, turned
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.imaging import assign_levels, level_polyline
from overread.imaging.levels import names_with_gaps
from overread.records import Keypoints, Planes

ANGLE = st.floats(-3.1, 3.1)


def blocks(*, per_disc: bool) -> tuple[Planes, list[str]]:
    """Axial slices through five discs: one block a disc, tilted to it, or one straight stack."""
    parts, truth = [], []
    for i, (name, z) in enumerate(zip(LEVELS, (60, 30, 0, -30, -60), strict=True)):
        axes = turned(AXIAL, (i - 2) * 8.0, 0) if per_disc else np.array(AXIAL)
        stack, _ = field_stack("axial_t2", axes, count=3, gap=4, size=(4, 4), middle=(0, 0, z))
        parts.append(stack.planes)
        truth += [name] * 3
    return Planes.join(parts), truth


@pytest.mark.parametrize("per_disc", [True, False])
def test_every_slice_gets_its_disc(per_disc) -> None:
    """Blocks tilted to their discs and straight stacks are told apart, in any order."""
    planes, truth = blocks(per_disc=per_disc)
    points = discs(spacing=30)
    order = np.random.default_rng(0).permutation(len(planes))

    assert assign_levels(points, planes, levels=LEVELS) == truth
    shuffled = assign_levels(points, planes.take(order), levels=LEVELS)
    assert shuffled == [truth[i] for i in order]


def test_slices_beyond_the_spine() -> None:
    """Slices above the first and below the last territory belong to no disc."""
    stack, _ = field_stack("axial_t2", AXIAL, count=2, gap=156, size=(4, 4))

    assert assign_levels(discs(30), stack.planes, levels=LEVELS) == [None, None]


def test_first_level_wins_on_the_border() -> None:
    """A slice exactly between two discs belongs to the upper one."""
    stack, _ = field_stack("axial_t2", AXIAL, count=1, size=(4, 4), middle=(0, 0, 15))

    assert assign_levels(discs(30), stack.planes, levels=LEVELS) == ["L2/L3"]


def test_missing_discs() -> None:
    """A gap is bridged; missing ends own nothing; a lone disc owns what is near; none, none."""
    planes, truth = blocks(per_disc=False)
    points = discs(spacing=30)
    gap = assign_levels(points.ordered(("L1/L2", "L2/L3", "L4/L5", "L5/S1")), planes, levels=LEVELS)
    end = assign_levels(points.ordered(LEVELS[1:]), planes, levels=LEVELS)
    lone = assign_levels(points.ordered(("L3/L4",)), planes, levels=LEVELS)

    assert gap == truth
    assert end == [None] * 3 + truth[3:]
    assert lone == [None] * 6 + ["L3/L4"] * 3 + [None] * 6
    assert assign_levels(Keypoints.of({}), planes, levels=LEVELS) == [None] * 15


def test_gaps_of_a_chain() -> None:
    """Where discs seem to be missing fillers stand for them; even chains have none."""
    points = discs(spacing=30)
    names = names_with_gaps(points.ordered(("L1/L2", "L2/L3", "L4/L5", "L5/S1")))

    assert len(names) == 5
    assert names[:2] + names[3:] == ("L1/L2", "L2/L3", "L4/L5", "L5/S1")
    assert names_with_gaps(points) == LEVELS
    assert names_with_gaps(points.ordered(("L1/L2", "L4/L5"))) == ("L1/L2", "L4/L5")
    assert names_with_gaps(Keypoints.of({})) == ()


def test_no_slices() -> None:
    """No planes, no levels."""
    planes, _ = blocks(per_disc=False)

    assert assign_levels(discs(), planes.take([]), levels=LEVELS) == []


def test_polyline_ends() -> None:
    """The first and the last disc lie in the middle of their territory."""
    line = level_polyline(discs(30).points)

    assert line[:, 2].tolist() == pytest.approx([75, 45, 15, -15, -45, -75])


@settings(max_examples=40, deadline=None)
@given(ANGLE, ANGLE, ANGLE, st.tuples(*[st.floats(-500, 500)] * 3))
def test_levels_move_with_the_patient(first, second, third, shift) -> None:
    """However the patient lies in the scanner, slices keep their levels."""
    planes, truth = blocks(per_disc=True)
    points = discs(spacing=30)
    matrix = np.eye(3)
    for about, angle in enumerate((first, second, third)):
        matrix = turned(matrix, np.degrees(angle), about)
    moved = Planes(
        planes.origin @ matrix + shift,
        planes.row @ matrix,
        planes.column @ matrix,
        planes.spacing,
        planes.size,
    )
    there = Keypoints(points.names, points.points @ matrix + shift, points.confidence)

    assert assign_levels(there, moved, levels=LEVELS) == truth
