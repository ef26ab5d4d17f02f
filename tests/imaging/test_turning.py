"""Edges between pixels and directions along the spine."""

import numpy as np
import pytest
from field_study import SAGITTAL, field_stack, study_of

from overread.imaging import ViewSpec, cut
from overread.imaging.turning import along_chain, turned, whole_pixels
from overread.records import Keypoints

AXES = (np.array([[0.0, 0.0, -1.0]]), np.array([[0.0, 1.0, 0.0]]))


def test_edges_move_to_borders_between_pixels() -> None:
    """Each edge goes to the nearest border between two pixels."""
    centre, grown = whole_pixels(np.array([[20.0, 7.2]]), np.array([[10.4, 4.0]]))

    # Columns 15.3 to 25.7 become 15 to 26; rows 5.7 to 9.7 become 6 to 10.
    np.testing.assert_allclose(centre, [[20.0, 7.5]])
    np.testing.assert_allclose(grown, [[11 / 10.4, 1.0]])


@pytest.mark.parametrize("curve", ["robust", "spline"])
def test_straight_chain(curve) -> None:
    """Both curves tell the direction of a straight chain that leans 20 degrees backwards."""
    lean = np.radians(20)
    step = 30 * np.array([0.0, np.sin(lean), -np.cos(lean)])
    points = np.arange(5)[:, None] * step
    planes = field_stack("sagittal_t2", SAGITTAL, count=1)[0].planes

    along = along_chain(points, 2, planes, AXES, curve)
    assert along is not None
    down, right = turned(along, *AXES)

    np.testing.assert_allclose(down, (step / 30)[None], atol=1e-6)
    np.testing.assert_allclose(right, [[0.0, np.cos(lean), np.sin(lean)]], atol=1e-6)


def test_too_few_points_for_a_spline() -> None:
    """Two points have a line through them and no spline: the line counts."""
    points = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -30.0]])
    planes = field_stack("sagittal_t2", SAGITTAL, count=1)[0].planes

    np.testing.assert_allclose(along_chain(points, 0, planes, AXES, "spline"), [0, 0, -1])


def test_presets_follow_the_plane() -> None:
    """A preset gives each plane its box; settings beside it win."""
    common = {"around": "discs", "slices": {"count": 2}, "pixels": (10, 12)}
    sagittal = ViewSpec(preset="v11", series=("sagittal_t1",), **common)
    axial = ViewSpec(preset="v11", series=("axial_t2",), shift_mm=(1, 2), **common)

    assert (sagittal.size_mm, sagittal.shift_mm, sagittal.straighten) == (
        (36, 45),
        (-3.5, -5),
        True,
    )
    assert (axial.size_mm, axial.shift_mm, axial.straighten) == ((45, 75), (1, 2), False)
    with pytest.raises(ValueError, match="crops of \\['axial', 'sagittal'\\], not coronal"):
        ViewSpec(preset="v8", series=("coronal_t1",), **common)


def test_older_views_keep_their_identity() -> None:
    """Settings that came later leave the identity alone while they stand at their default."""
    view = ViewSpec(series=("sagittal_t1",), slices={"count": 2}, pixels=(10, 12))

    assert not {"preset", "curve", "edges", "one_side"} & set(view.identity())
    assert "as_published" not in view.identity()["slices"]


def test_whole_edges_are_a_box_of_source_pixels() -> None:
    """With as many pixels as the box has, a crop with whole edges is the slice itself."""
    stack = field_stack("sagittal_t2", SAGITTAL, count=3)
    planes = stack[0].planes
    spacing = planes.spacing[0]
    view = ViewSpec(
        series=("sagittal_t2",), around="discs", slices={"count": 1, "pick": "nearest"},
        size_mm=tuple(8.3 * spacing), edges="whole", pixels=(8, 8), margin=1,
        windows=({"centre": 500, "width": 1000},),
    )  # fmt: skip
    point = planes.to_world([1], [[20.3, 15.2]])[0]
    found = cut(view, study_of(stack), {"discs": Keypoints.of({"L3/L4": point})}, "L3/L4")

    # Columns 16.7 to 25 become 17 to 25, rows 11.6 to 19.9 become 12 to 20.
    np.testing.assert_allclose(
        found.pixels[0, 0], stack[1].array[1, 12:20, 17:25] / 1000, atol=1e-3
    )
