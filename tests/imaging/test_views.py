"""Views and batches: settings that are checked, recipes that can be said, arrays that fit."""

import numpy as np
import pytest
from field_study import LEVELS, SAGITTAL, discs, field_stack, study_of

from overread.imaging import (
    Cut,
    SliceSpec,
    StudyPixels,
    ViewSpec,
    centre,
    collate,
    cut,
    study_stacks,
)
from overread.records import Planes, RecordError, Series, Stack, Study

PLAIN = {"series": ("sagittal_t1",), "slices": {"count": 2}, "pixels": (10, 12)}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"series": ("sagittal_t1", "axial_t2")}, "shows one plane"),
        ({"series": ("oblique_t1",)}, "names no plane"),
        ({"straighten": True}, "need the points of `around`"),
        ({"scale": "spacing", "size_mm": (1, 1)}, "need the points of `around`"),
        ({"slices": {"count": 2, "pick": "level"}}, "pick: level needs"),
        ({"scale": "spacing", "around": "discs"}, "needs size_mm"),
        ({"size_mm": (0, 3)}, "must be positive"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_refused_settings(settings, words) -> None:
    """Settings that contradict each other are refused in words."""
    with pytest.raises(ValueError, match=words):
        ViewSpec.model_validate({**PLAIN, **settings})


@pytest.mark.parametrize("margin", [1.0, 1.1, 1.25, 1.5])
@pytest.mark.parametrize("pixels", [(10, 11), (64, 96), (1, 3)])
def test_margins_are_even(pixels, margin) -> None:
    """The stored crop has the same border on both sides, so that its centre is exact."""
    view = ViewSpec.model_validate({**PLAIN, "pixels": pixels, "margin": margin})

    assert all((a - b) % 2 == 0 for a, b in zip(view.stored, pixels, strict=True))
    assert view.stored[0] / pixels[0] == pytest.approx(margin, abs=1.01 / pixels[0])


def test_published_recipes_can_be_said() -> None:
    """Recipes v9 (boxes along the image) and v11 (turned with the spine) of the 3rd place."""
    around = {"around": "discs", "pixels": (224, 224)}
    v9 = ViewSpec(
        series=("sagittal_t1",), slices={"count": 15}, size_mm=(35, 50), shift_mm=(-5, 0), **around
    )
    axial = ViewSpec(
        series=("axial_t2",), slices={"count": 10, "pick": "level"}, size_mm=(45, 75),
        shift_mm=(5, 0), **around,
    )  # fmt: skip
    # 21.5 mm above and 14.5 below: the window's centre lies 3.5 mm up; 5 mm to the front.
    v11 = ViewSpec(
        series=("sagittal_t2",), slices={"count": 15}, size_mm=(36, 45), shift_mm=(-3.5, -5),
        straighten=True, **around,
    )  # fmt: skip
    study = study_of(field_stack("sagittal_t2", SAGITTAL, count=3))
    crops = cut(v11, study, {"discs": discs(tilt=20)}, "L3/L4")
    rows, columns = v11.stored
    corner = crops.planes.to_world([0], [[(columns - 1) / 2, (rows - 1) / 2]])[0]
    along = np.array([np.sin(np.radians(20)), -np.cos(np.radians(20))])
    across = np.array([np.cos(np.radians(20)), np.sin(np.radians(20))])

    assert corner[1:].tolist() == pytest.approx((-3.5 * along - 5 * across).tolist())
    assert [view.stored for view in (v9, axial)] == [(280, 280)] * 2


def test_identity_knows_all_settings() -> None:
    """Two views that differ in one setting have different identities."""
    one = ViewSpec.model_validate(PLAIN)
    two = ViewSpec.model_validate({**PLAIN, "slices": {"count": 2, "fill": "mask"}})

    assert one.identity() != two.identity()
    assert ViewSpec.model_validate(one.identity()) == one


def test_collate() -> None:
    """Stored crops become arrays as they are; `centre` takes exactly their middle pixels."""
    study = study_of(field_stack("sagittal_t1", SAGITTAL, count=3))
    view = ViewSpec.model_validate({**PLAIN, "around": "discs", "size_mm": (10, 12)})
    units = [cut(view, study, {"discs": discs()}, site) for site in LEVELS[1:4]]
    batch = collate({"near": units})
    middle = centre(batch, {"near": view})["near"]

    assert batch["near"].shape == (3, 2, 1, *view.stored)
    assert (np.float16, np.float32) == (batch["near"].dtype, middle.dtype)
    assert batch["near.mask"].dtype == np.bool_
    assert batch["near.offsets"][0].tolist() == units[0].offsets_mm.tolist()
    expected = units[2].pixels[:, :, 1:11, 2:14].astype(np.float32) * 2 - 1
    np.testing.assert_array_equal(middle[2], expected)


def test_collate_wants_the_same_units() -> None:
    """Views of different numbers of units cannot stand in one batch."""
    study = study_of(field_stack("sagittal_t1", SAGITTAL, count=3))
    one = cut(ViewSpec.model_validate(PLAIN), study, {}, None)
    with pytest.raises(ValueError, match="same units"):
        collate({"a": [one, one], "b": [one]})


def test_cut_is_checked() -> None:
    """A cut whose parts speak of different numbers of slices does not exist."""
    with pytest.raises(RecordError, match="one mask, offset, plane and frame a slice"):
        Cut(
            np.zeros((2, 1, 4, 4), np.float16), np.ones(1, bool), np.zeros(2, np.float32),
            Planes.of_images([[4, 4]] * 2), (None, None),
        )  # fmt: skip


def test_study_pixels() -> None:
    """Stacks with a role have their volumes, in order; a wrong number of slices is refused."""
    first, volume = field_stack("sagittal_t1", SAGITTAL, count=3)
    second, other = field_stack("sagittal_t2", SAGITTAL, count=2)
    aside = Stack(first.frames, first.planes, None)
    study = Study("7", "1", "p", (Series("a", "a", (aside, first)), Series("b", "b", (second,))))
    pixels = StudyPixels(study, (volume, other))

    assert [stack.role for _, stack in study_stacks(study)] == ["sagittal_t1", "sagittal_t2"]
    assert pixels.with_role("sagittal_t2")[0][2] is other
    assert pixels.with_role("axial_t2") == ()
    with pytest.raises(RecordError, match=r"stacks of \[3, 2\] slices but volumes of \[2, 3\]"):
        StudyPixels(study, (other, volume))


def test_one_slot_shows_the_middle() -> None:
    """A view of one slice takes the nearest of the two middle ones."""
    study = study_of(field_stack("sagittal_t1", SAGITTAL, count=4))
    view = ViewSpec.model_validate({**PLAIN, "around": "discs", "slices": SliceSpec(count=1)})

    assert cut(view, study, {"discs": discs()}, "L3/L4").offsets_mm.tolist() == pytest.approx([1.7])
