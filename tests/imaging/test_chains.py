"""Chains of points: direction, spacing, and what makes them implausible."""

import numpy as np
import pytest
from field_study import LEVELS, discs
from hypothesis import given
from hypothesis import strategies as st

from overread.imaging import ChainSpec, chain_direction, chain_spacing, check_chain
from overread.records import Keypoints


def changed(name: str, shift: tuple[float, float, float]) -> Keypoints:
    """Five plausible discs of which one is moved."""
    points = discs(spacing=33, tilt=8)
    moved = points.points.copy()
    moved[points.names.index(name)] += shift
    return Keypoints(points.names, moved, points.confidence)


@given(st.floats(-60, 60), st.integers(0, 4))
def test_direction_of_a_straight_chain(degrees, index) -> None:
    """A straight chain has its own direction at every point."""
    along = chain_direction(discs(30, tilt=degrees).points, index)

    assert np.degrees(np.arctan2(along[1], -along[2])) == pytest.approx(degrees, abs=1e-6)


def test_direction_of_a_bent_chain() -> None:
    """A parabola has the slope of its tangent, at the ends too, to a degree or two."""
    points = discs(30, bend=0.003).points
    for index, z in enumerate((np.arange(5) - 2) * 30.0):
        along = chain_direction(points, index)
        angle = np.degrees(np.arctan2(along[1], -along[2]))
        assert angle == pytest.approx(np.degrees(np.arctan(2 * 0.003 * z)), abs=1.0)


def test_direction_withstands_one_bad_point() -> None:
    """A point 15 mm off the chain turns the direction of its neighbour by under 12 degrees."""
    points = discs(33).points.copy()
    points[4, 1] += 15
    along = chain_direction(points, 2)

    assert abs(np.degrees(np.arctan2(along[1], -along[2]))) < 12


def test_direction_of_few_points() -> None:
    """Two points make a line; one point, or points in one place, have no direction."""
    assert chain_direction([[0, 0, 10], [0, 0, -10]], 0).tolist() == [0, 0, -1]
    assert chain_direction([[0, 0, 10]], 0) is None
    assert chain_direction([[1, 1, 1], [1, 1, 1]], 1) is None


def test_spacing() -> None:
    """The mean distance to both neighbours; one at the ends; a gap counts as the median."""
    line = np.zeros((5, 3))
    line[:, 2] = [100, 70, 42, 12, -50]

    assert chain_spacing(line, 0) == 30
    assert chain_spacing(line, 1) == 29
    assert chain_spacing(line, 4) == 30
    assert chain_spacing(line[:1], 0) is None


@pytest.mark.parametrize("num", [2, 5, 9])
def test_good_chains(num) -> None:
    """Chains of lumbar proportions are whole, for up to nine discs."""
    names = tuple(f"d{i}" for i in range(num))
    angle = np.linspace(-0.2, 0.6, num)
    steps = np.stack([0 * angle, np.sin(angle), -np.cos(angle)], 1) * 34
    points = Keypoints(names, steps.cumsum(axis=0), np.ones(num))
    report = check_chain(points, ChainSpec())

    assert report.whole
    assert report.plausible == (True,) * num
    assert report.spacing_mm[0] == pytest.approx(34)


@pytest.mark.parametrize(
    ("name", "shift", "reason"),
    [
        ("L3/L4", (0, 30, 0), "off_curve"),
        ("L3/L4", (0, 0, 27), "too_near"),
        ("L2/L3", (0, 0, -70), "order"),
        ("L5/S1", (0, 0, -90), "too_far"),
    ],
)
def test_one_bad_point_is_told(name, shift, reason) -> None:
    """The point that was moved is the one that is blamed, and the reason is the right one."""
    report = check_chain(changed(name, shift), ChainSpec(), names=LEVELS)
    blamed = dict(zip(report.names, report.reasons, strict=True))

    assert reason in blamed.pop(name)
    assert not report.whole
    assert not any(blamed.values())


def test_steps_over_missing_points() -> None:
    """The distance across a missing disc is judged per step, when the names are known."""
    points = discs(spacing=33).ordered(("L1/L2", "L2/L3", "L4/L5"))

    assert check_chain(points, ChainSpec(), names=LEVELS).whole
    assert not check_chain(points, ChainSpec()).whole


def test_unsure_points() -> None:
    """A point of low confidence is implausible, and does not spoil its neighbours."""
    points = changed("L3/L4", (0, 80, 0))
    confidence = np.array([1, 1, 0.01, 1, 1])
    report = check_chain(Keypoints(points.names, points.points, confidence), ChainSpec())

    assert report.reasons == ((), (), ("unsure",), (), ())


def test_no_points() -> None:
    """An empty chain is not whole."""
    assert not check_chain(Keypoints.of({}), ChainSpec()).whole
