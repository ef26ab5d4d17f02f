"""From maps to points: averaging in millimetres, and what is done with implausible points."""

import numpy as np
import pytest
from tiny_studies import CENTRES, LEVELS, discs

from overread.imaging import ChainSpec
from overread.inference import LocatorSpec
from overread.inference.decoding import PointSet, average_points, decode_points, plausible
from overread.inference.locator import DecodeSpec
from overread.records import Planes

SPEC = LocatorSpec(
    series=("sagittal_t2",),
    points=LEVELS,
    pixels=(64, 64),
    chain=ChainSpec(),
    model={"use": "heatmap", "backbone": "tiny_conv"},
)


def planes_at(*positions):
    """Return sagittal inputs of 64 px of 2 mm at these x."""
    count = len(positions)
    return Planes(
        np.stack([np.array(positions, float), np.zeros(count), np.zeros(count)], 1),
        np.tile([0.0, 1.0, 0.0], (count, 1)),
        np.tile([0.0, 0.0, -1.0], (count, 1)),
        np.full((count, 2), 2.0),
        np.tile([64, 64], (count, 1)),
    )


def peaks(*cells, size=32, sigma=2.0):
    """Return maps (K, size, size) with a blob at each cell (x, y)."""
    y, x = np.mgrid[:size, :size]
    blobs = [np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)) for cx, cy in cells]
    return np.stack(blobs).astype(np.float32) * 0.9


def found(points, confidence=0.9):
    """Return a set of points by name, all equally sure."""
    return PointSet(
        tuple(points), np.array(list(points.values()), float), np.full(len(points), confidence)
    )


def test_cells_become_millimetres():
    """The centre of cell c of a stride-2 map is pixel 2 c + 0.5 of the input."""
    maps = peaks((10, 20))[None]

    points = decode_points(SPEC, ("a",), planes_at(7.0), maps)

    np.testing.assert_allclose([[7.0, 41.0, -81.0]], points.points, atol=0.05)
    assert points.confidence[0] > 0.8


def test_two_slices_give_a_point_between_them():
    """Maps of a group are averaged, and so are the places of its slices."""
    maps = np.stack([peaks((10, 20)), peaks((10, 20))])

    points = decode_points(SPEC, ("a",), planes_at(-2.0, 2.0), maps)

    assert points.points[0, 0] == pytest.approx(0)


def test_box_method_is_the_published_one():
    """The box decoder gives the middle of all cells above the percentile."""
    spec = SPEC.model_copy(update={"decode": DecodeSpec(method="box")})

    points = decode_points(spec, ("a",), planes_at(0.0), peaks((12, 6))[None])

    np.testing.assert_allclose([[0.0, 49.0, -25.0]], points.points, atol=1e-6)


def test_series_are_averaged_by_confidence():
    """A surer series draws the point to itself; a point that one lacks is the other's."""
    sure = PointSet(("a", "b"), np.array([[0, 0, 0], [0, 0, 10.0]]), np.array([0.9, 0.8]))
    less = PointSet(("a",), np.array([[4.0, 0, 0]]), np.array([0.3]))

    joined = average_points(("b", "a"), [sure, less])

    assert joined.names == ("b", "a")
    np.testing.assert_allclose([[0, 0, 10.0], [1.0, 0, 0]], joined.points)
    assert joined.confidence[1] == pytest.approx((0.9 * 0.9 + 0.3 * 0.3) / 1.2)


def test_no_confidence_at_all_is_a_plain_mean():
    """Points of no confidence are averaged, not divided by zero."""
    ends = [
        PointSet(("a",), np.array([[0.0, 0, 0]]), np.zeros(1)),
        PointSet(("a",), np.array([[2.0, 0, 0]]), np.zeros(1)),
    ]

    joined = average_points(("a",), ends)

    assert joined.points[0].tolist() == [1.0, 0.0, 0.0]


def test_plausible_chain_is_left_alone():
    """Good points keep their places and confidence."""
    points = plausible(SPEC, found(CENTRES), fold=3)

    np.testing.assert_array_equal(discs().points, points.points)
    assert set(points.confidence) == {0.9}
    assert points.fold == 3


def wrong_middle():
    """Return the centres with the third far off."""
    return {**CENTRES, "L3/L4": (0.0, 90.0, 0.0)}


@pytest.mark.parametrize("treatment", ["keep", "drop", "mend"])
def test_point_off_the_chain_is_treated_as_told(treatment):
    """It is kept with half the confidence, dropped, or put between its neighbours."""
    spec = SPEC.model_copy(update={"decode": DecodeSpec(implausible=treatment)})

    points = plausible(spec, found(wrong_middle()), fold=None)
    third = points.get("L3/L4")

    if treatment == "drop":
        assert third is None
        assert points.names == (*LEVELS[:2], *LEVELS[3:])
    else:
        expected = (0.0, 90.0, 0.0) if treatment == "keep" else CENTRES["L3/L4"]
        np.testing.assert_allclose(expected, third)
        assert points.confidence[2] == pytest.approx(0.45)


def test_wrong_end_cannot_be_mended():
    """An implausible point at the end of the chain has no neighbours on both sides: it is kept."""
    points = plausible(SPEC, found({**CENTRES, "L5/S1": (0.0, 8.0, -290.0)}), fold=None)

    np.testing.assert_allclose((0.0, 8.0, -290.0), points.get("L5/S1"))
    assert points.confidence[-1] == pytest.approx(0.45)


def test_unsure_points_are_left_out():
    """Points below the least confidence are absent."""
    spec = SPEC.model_copy(update={"decode": DecodeSpec(min_confidence=0.5)})
    mixed = PointSet(LEVELS, discs().points, np.array([0.9, 0.4, 0.9, 0.9, 0.1]))

    assert plausible(spec, mixed, fold=None).names == ("L1/L2", "L3/L4", "L4/L5")


def test_lone_point_has_no_chain():
    """A single point is never implausible."""
    points = plausible(SPEC, found({"L1/L2": (0.0, 0.0, 500.0)}), fold=None)

    assert points.confidence.tolist() == [0.9]
