"""Pictures, ranges, crops and opening: what surrounds an answer."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_recipe import RUBRIC, VIEWS, recipe
from tiny_studies import LEVELS, discs, study_pixels

from overread.imaging import ViewSpec
from overread.inference import (
    cut_study,
    decode_study,
    load_cuts,
    measure_ranges,
    open_studies,
    range_findings,
    save_cuts,
    study_units,
)
from overread.inference.file_array import FileArray
from overread.inference.picturing import picture_study
from overread.records import Keypoints, Rubric, Target
from overread.shelf import Named

POINTS = {"discs": discs(), "canal": discs()}
UNITS = study_units(RUBRIC, "7")


def pictures(points=None, *, pixels=None):
    """Return all pictures of the made-up study."""
    pixels = pixels or study_pixels()
    found = {**POINTS, **(points or {})}
    crops = {name: cut_study(view, pixels, found, UNITS)[1] for name, view in VIEWS.items()}
    return picture_study(recipe(), pixels, found, [site for _, site in UNITS], crops)


def test_overview_shows_the_points_where_they_are():
    """Marks lie on the picture as the points lie in the slice."""
    overview = pictures()[0]
    heights = [mark.y for mark in overview.marks]

    assert overview.kind == "overview"
    assert tuple(mark.name for mark in overview.marks) == LEVELS
    assert heights == sorted(heights)
    steps = np.diff([(mark.x, mark.y) for mark in overview.marks], axis=0)
    np.testing.assert_allclose(steps, np.tile(steps[0], (4, 1)), atol=1e-6)
    assert steps[0, 1] / steps[0, 0] == pytest.approx(30 / 4)


def test_overview_takes_the_slice_nearest_to_the_points():
    """Points off the midline are shown on the slice on which they lie."""
    aside = Keypoints(LEVELS, discs().points + np.array([10.0, 0, 0]), np.ones(5))

    middle, side = pictures()[0], pictures({"discs": aside})[0]

    assert side.sop_instance_uid == "1.2.1.6"
    assert middle.sop_instance_uid in ("1.2.1.3", "1.2.1.4")


def test_overview_without_points_is_still_a_picture():
    """A study in which nothing was found shows its middle slice."""
    none = {"discs": Keypoints.of({}), "canal": Keypoints.of({})}
    shown = pictures(none)

    assert [picture.kind for picture in shown] == ["overview"]
    assert shown[0].marks == ()


def test_turned_images_are_shown_upright():
    """Where points hold for reversed rows, so does the picture."""
    turned = replace(discs(), turned=True)
    straight = pictures(pixels=study_pixels())[0]
    over = pictures({"discs": turned}, pixels=study_pixels().turned())[0]

    np.testing.assert_array_equal(straight.image, over.image)


def test_axial_slices_are_shown_whole_with_the_crop_outlined():
    """Beside each axial crop stands the slice that it was cut from, with its outline."""
    whole = [picture for picture in pictures() if picture.kind == "slice"]
    corners = np.array(whole[0].outline)

    assert [picture.site for picture in whole] == list(LEVELS)
    sides = np.linalg.norm(np.diff(corners, axis=0, append=corners[:1]), axis=1)
    np.testing.assert_allclose(sides, sides[0], rtol=1e-6)
    height, width = whole[0].image.shape
    assert sides[0] / width == pytest.approx(50 / (90 * 1.25), rel=0.03)
    assert height < width


def test_units_of_other_rubrics_are_studies():
    """Where sites are not asked for, the study is the unit."""
    target = Target("grade", ("a", "b"), (1.0, 1.0))

    assert study_units(Rubric("r", "study", (target,)), "7") == (("7", None),)
    assert UNITS[0] == ("7@L1/L2", "L1/L2")


def test_crops_keep_their_arrays_on_disk(tmp_path):
    """What is saved is read back the same, the pixels when they are looked at."""
    before, _ = cut_study(VIEWS["side"], study_pixels(), POINTS, UNITS)
    save_cuts(tmp_path / "7", before)
    after = load_cuts(tmp_path / "7")

    assert after.units == before.units
    assert after.sites == LEVELS
    assert isinstance(after.pixels, FileArray)
    for name in ("pixels", "mask", "offsets_mm"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert len(after) == 5
    assert after.of(2).mask.shape == (5,)


def test_missing_series_gives_empty_crops():
    """A view of a series that the study lacks is all masked, of the usual shape."""
    lacking = VIEWS["side"].model_copy(update={"series": ("sagittal_t1",)})

    arrays, cuts = cut_study(lacking, study_pixels(), POINTS, UNITS)

    assert not arrays.mask.any()
    assert arrays.pixels.shape == (5, 5, 1, *lacking.stored)
    assert all(frame is None for cut in cuts for frame in cut.frames)


def test_ranges_are_those_of_the_training_data():
    """Spacing, field, slices and their distance are measured for each role."""
    ranges = measure_ranges([study_pixels().study, study_pixels(sagittal=12).study])

    assert set(ranges) == {"sagittal_t2", "axial_t2"}
    assert ranges["sagittal_t2"]["pixel_mm"] == [1.5, 1.5]
    assert ranges["sagittal_t2"]["slice_mm"] == [4.0, 4.0]
    assert ranges["sagittal_t2"]["field_mm"] == [168.0, 168.0]
    low, high = ranges["sagittal_t2"]["slices"]
    assert 8 <= low < high <= 12
    assert measure_ranges([]) == {}


def test_a_little_beyond_the_range_is_nothing():
    """Ten percent of slack; roles that were never seen are not judged."""
    ranges = measure_ranges([study_pixels().study])
    ranges["sagittal_t2"]["slices"] = [8.5, 20.0]

    assert range_findings(study_pixels().study, ranges) == ()
    assert range_findings(study_pixels().study, {"ct": {"slices": [1.0, 2.0]}}) == ()


def test_undecodable_series_is_set_aside():
    """Files that cannot be decoded cost their series the role, and are told; others stay."""
    study = study_pixels().study  # its files do not exist

    pixels, findings = decode_study(study)

    assert pixels.volumes == ()
    assert pixels.study.roles == frozenset()
    assert [one.code for one in findings] == ["decode_failed", "decode_failed"]
    assert [one.series for one in findings] == ["1", "2"]


def test_empty_folder_has_no_studies(tmp_path):
    """A folder without images is not an error: there is nothing to grade."""
    assert open_studies(Named(use="rsna2024_lumbar"), tmp_path).studies == ()


def test_whole_image_views_need_no_points():
    """A view without `around` shows every unit the same whole image, which is kept once."""
    view = ViewSpec(
        series=("sagittal_t2",), slices={"count": 3, "pick": "central"}, pixels=(32, 32)
    )

    arrays, _ = cut_study(view, study_pixels(), {}, UNITS[:2])

    assert arrays.mask.all()
    assert len(arrays.pixels) == 1
