"""Crops: where their pixels lie, which way they run, and what happens at the edges."""

import numpy as np
import pytest
from field_study import (
    AXIAL,
    LEVELS,
    SAGITTAL,
    discs,
    field,
    field_stack,
    frames_of,
    study_of,
    turned,
)

from overread.imaging import (
    Cut,
    SliceSpec,
    StudyPixels,
    ViewSpec,
    WindowSpec,
    cut,
    sampling,
    windows,
)
from overread.records import Keypoints, Planes, Series, Stack, Study, Volume

FIXED = (WindowSpec(centre=500, width=1000),)


def view(role: str = "sagittal_t2", **settings: object) -> ViewSpec:
    """A small view around the discs, with a fixed window."""
    plain = {
        "series": (role,),
        "around": "discs",
        "slices": {"count": 3, "pick": "nearest"},
        "size_mm": (20, 24),
        "pixels": (20, 24),
        "windows": FIXED,
    }
    return ViewSpec.model_validate({**plain, **settings})


def shown(crops: Cut) -> np.ndarray:
    """The field where the crop's planes say that its pixels lie, 0-1."""
    rows, columns = crops.pixels.shape[2:]
    y, x = np.mgrid[0:rows, 0:columns]
    points = np.stack([x.ravel(), y.ravel()], 1)
    return (
        np.stack(
            [
                field(crops.planes.to_world(np.full(len(points), i), points)).reshape(rows, columns)
                for i in range(len(crops.planes))
            ]
        )
        / 1000
    )


@pytest.mark.parametrize("straighten", [False, True])
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 1.3)])
@pytest.mark.parametrize(("turn", "about"), [(0, 0), (12, 2), (9, 1), (15, 0)])
@pytest.mark.parametrize(("role", "axes"), [("sagittal_t2", SAGITTAL), ("axial_t2", AXIAL)])
def test_every_pixel_can_be_traced(role, axes, turn, about, *, spacing, straighten) -> None:
    """A crop shows what lies in the patient where its planes say, oblique and oblong or not."""
    stack = field_stack(role, turned(axes, turn, about), count=5, spacing=spacing)
    points = {"discs": discs(tilt=10)}
    crops = cut(view(role, straighten=straighten), study_of(stack), points, "L3/L4")

    np.testing.assert_allclose(crops.pixels[:, 0], shown(crops), atol=4e-3)
    assert crops.mask.all()


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("signs", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
@pytest.mark.parametrize(("role", "axes"), [("sagittal_t2", SAGITTAL), ("axial_t2", AXIAL)])
def test_orientation_of_the_file_is_irrelevant(role, axes, signs, swap) -> None:
    """However rows and columns run in the file, the crop is the same."""
    other = [np.array(axis) * sign for axis, sign in zip(axes, signs, strict=True)]
    other = other[::-1] if swap else other
    points = {"discs": discs()}
    crops = [
        cut(view(role), study_of(field_stack(role, one, count=5)), points, "L3/L4")
        for one in (axes, other)
    ]

    np.testing.assert_allclose(crops[0].pixels, crops[1].pixels, atol=2e-3)
    np.testing.assert_allclose(crops[0].offsets_mm, crops[1].offsets_mm, atol=1e-4)
    np.testing.assert_allclose(crops[0].planes.origin, crops[1].planes.origin, atol=1e-6)


def test_canonical_directions() -> None:
    """Sagittal: down to the feet, right to the back, slices to the left. Axial: head to feet."""
    points = {"discs": discs()}
    sagittal = cut(view(), study_of(field_stack("sagittal_t2", SAGITTAL, count=5)), points, "L3/L4")
    axial = cut(
        view("axial_t2"), study_of(field_stack("axial_t2", AXIAL, count=5)), points, "L3/L4"
    )

    assert sagittal.planes.column[0].tolist() == [0, 0, -1]
    assert sagittal.planes.row[0].tolist() == [0, 1, 0]
    assert np.diff(sagittal.planes.origin[:, 0]).tolist() == pytest.approx([4, 4])
    assert np.diff(sagittal.offsets_mm).tolist() == pytest.approx([4, 4])
    assert axial.planes.column[0].tolist() == [0, 1, 0]
    assert axial.planes.row[0].tolist() == [1, 0, 0]
    assert np.diff(axial.planes.origin[:, 2]).tolist() == pytest.approx([-4, -4])
    assert np.diff(axial.offsets_mm).tolist() == pytest.approx([-4, -4])


def test_size_and_shift_in_millimetres() -> None:
    """The window has its size whatever the pixels, and its centre lies where it should."""
    stack = field_stack("sagittal_t2", SAGITTAL, count=3, spacing=(0.8, 1.1))
    v9 = view(size_mm=(35, 50), shift_mm=(-5, 2), pixels=(70, 50), margin=1.2)
    crops = cut(v9, study_of(stack), {"discs": discs()}, "L3/L4")
    rows, columns = crops.pixels.shape[2:]
    middle = crops.planes.to_world([1], [[(columns - 1) / 2, (rows - 1) / 2]])[0]

    assert (rows, columns) == v9.stored == (84, 60)
    assert crops.planes.spacing[0].tolist() == pytest.approx([0.5, 1.0])
    assert middle[1:].tolist() == pytest.approx([2, 5])


def test_border_is_padded_with_black() -> None:
    """A crop that leaves the image is filled up with zeros, never dropped."""
    stack = field_stack("sagittal_t2", SAGITTAL, count=3, size=(30, 30))
    points = {"discs": Keypoints.of({"L3/L4": (0, 0, 14.5)})}
    crops = cut(view(), study_of(stack), points, "L3/L4")
    far = cut(view(), study_of(stack), {"discs": Keypoints.of({"L3/L4": (0, 0, 400)})}, "L3/L4")

    assert crops.mask.all()
    assert (crops.pixels[:, :, :11] == 0).all()
    np.testing.assert_allclose(crops.pixels[:, 0, 14:], shown(crops)[:, 14:], atol=4e-3)
    assert far.mask.all()
    assert (far.pixels == 0).all()


def test_straightening() -> None:
    """A straight spine gives the unrotated crop; a spine inclined by an angle gives that angle."""
    study = study_of(field_stack("sagittal_t2", SAGITTAL, count=3))
    plain = cut(view(), study, {"discs": discs()}, "L2/L3")
    turned_view = view(straighten=True)
    straight = cut(turned_view, study, {"discs": discs()}, "L2/L3")

    np.testing.assert_allclose(straight.pixels, plain.pixels, atol=1e-3)
    for degrees in (-25, 10, 40):
        crops = cut(turned_view, study, {"discs": discs(tilt=degrees)}, "L2/L3")
        down = crops.planes.column[0]
        assert np.degrees(np.arctan2(down[1], -down[2])) == pytest.approx(degrees, abs=1e-6)


def test_spacing_as_the_unit() -> None:
    """With scale: spacing a study of wrong pixel size gives the same crop, twice as large."""
    points = discs(spacing=12)
    doubled = Keypoints(points.names, points.points * 2, points.confidence)
    stack, volume = field_stack("sagittal_t2", SAGITTAL, count=1)
    planes = stack.planes
    large = Planes(planes.origin * 2, planes.row, planes.column, planes.spacing * 2, planes.size)
    twice = study_of((Stack(stack.frames, large, stack.role), Volume(volume.array, large)))
    ruled = view(scale="spacing", size_mm=(1.5, 2.0), slices={"count": 1})
    one = cut(ruled, study_of((stack, volume)), {"discs": points}, "L3/L4")
    two = cut(ruled, twice, {"discs": doubled}, "L3/L4")

    np.testing.assert_allclose(one.pixels, two.pixels, atol=1e-3)
    assert one.planes.spacing[0].tolist() == pytest.approx([18 / 20, 24 / 24])
    assert two.planes.spacing[0].tolist() == pytest.approx([36 / 20, 48 / 24])


def test_missing_series_and_points_give_empty_crops() -> None:
    """Nothing that is missing raises: all slices are masked, shapes are as ever."""
    study = study_of(field_stack("sagittal_t1", SAGITTAL, count=3))
    points = {"discs": discs().ordered(LEVELS[:2])}
    for crops in (
        cut(view("sagittal_t2"), study, points, "L1/L2"),
        cut(view("sagittal_t1"), study, points, "L5/S1"),
        cut(view("sagittal_t1"), study, {}, "L1/L2"),
        cut(view("axial_t2", slices={"count": 3, "pick": "level"}), study, points, "L1/L2"),
    ):
        assert crops.pixels.shape == (3, 1, 26, 30)
        assert not crops.mask.any()
        assert not crops.pixels.any()
        assert crops.frames == (None, None, None)


@pytest.mark.parametrize("num", [1, 2, 4, 5, 9])
@pytest.mark.parametrize("fill", ["repeat", "mask"])
def test_any_number_of_slices(num, fill) -> None:
    """Fewer slices than slots are repeated or leave slots empty; more are thinned out."""
    study = study_of(field_stack("sagittal_t2", SAGITTAL, count=num))
    spec = SliceSpec(count=4, fill=fill)
    crops = cut(view(slices=spec), study, {"discs": discs()}, "L3/L4")
    numbers = [int(one.path.stem) for one in crops.frames if one]

    assert crops.mask.sum() == (4 if fill == "repeat" else min(num, 4))
    assert numbers == sorted(numbers, reverse=True)  # the file runs from left to right
    assert len(set(numbers)) == min(num, 4)


def test_levels_across_series() -> None:
    """Slices of a level come from all axial series, in any order of series, the nearest first."""
    blocks = [
        field_stack("axial_t2", turned(AXIAL, 8, 0), count=4, gap=3, middle=(0, 0, 12)),
        field_stack("axial_t2", AXIAL, count=5, gap=3, middle=(0, 0, 0)),
        field_stack("axial_t2", AXIAL, count=2, gap=3, middle=(0, 0, 2.2)),
    ]
    level = view("axial_t2", slices={"count": 4, "pick": "level"})
    one = cut(level, study_of(*blocks), {"discs": discs()}, "L3/L4")
    two = cut(level, study_of(*blocks[::-1]), {"discs": discs()}, "L3/L4")

    assert one.offsets_mm.tolist() == pytest.approx([3, 0.7, 0, -3], abs=1e-5)
    np.testing.assert_array_equal(one.pixels, two.pixels)
    np.testing.assert_allclose(one.pixels[:, 0], shown(one), atol=4e-3)


def test_missing_disc_does_not_lend_its_slices() -> None:
    """When a disc was not found its neighbour gets its own slices only."""
    study = study_of(field_stack("axial_t2", AXIAL, count=17, gap=3))
    level = view("axial_t2", slices={"count": 9, "pick": "level", "fill": "mask"})
    kept = ("L1/L2", "L2/L3", "L4/L5", "L5/S1")
    whole = cut(level, study, {"discs": discs()}, "L2/L3")
    gap = cut(level, study, {"discs": discs().ordered(kept)}, "L2/L3")

    assert gap.frames == whole.frames
    assert not cut(level, study, {"discs": discs().ordered(kept)}, "L3/L4").mask.any()


def test_point_outside_the_stack() -> None:
    """The nearest slices are the ones at the end of the stack."""
    study = study_of(field_stack("sagittal_t2", SAGITTAL, count=6))
    points = {"discs": Keypoints.of({"L3/L4": (60.0, 0, 0)})}
    crops = cut(view(), study, points, "L3/L4")

    assert crops.offsets_mm.tolist() == pytest.approx([-58, -54, -50])


def test_slices_too_far_from_the_point() -> None:
    """With `within_mm` far slices are missing instead of standing in for near ones."""
    study = study_of(field_stack("axial_t2", AXIAL, count=6, middle=(0, 0, 30)))
    near = view("axial_t2", slices={"count": 4, "pick": "nearest", "within_mm": 10})
    kept = cut(near, study, {"discs": discs()}, "L1/L2").offsets_mm

    assert np.abs(kept).max() <= 10
    assert not cut(near, study, {"discs": discs()}, "L5/S1").mask.any()


def test_sagittal_series_that_shows_the_point() -> None:
    """Of two stations of the spine the one that shows the disc is cut, however few its slices."""
    upper = field_stack("sagittal_t2", SAGITTAL, count=9, middle=(0, 0, 90))
    lower = field_stack("sagittal_t2", SAGITTAL, count=5)
    crops = cut(view(), study_of(upper, lower), {"discs": discs()}, "L3/L4")

    np.testing.assert_allclose(crops.pixels[:, 0], shown(crops), atol=4e-3)
    assert crops.pixels.min() > 0


def test_first_role_that_is_there() -> None:
    """`take: first` uses the next role when one is missing; `all` merges them."""
    study = study_of(
        field_stack("sagittal_t1", SAGITTAL, count=4), field_stack("sagittal_t2", SAGITTAL, count=4)
    )
    roles = ("sagittal_stir", "sagittal_t2", "sagittal_t1")
    spec = {"series": roles, "slices": {"count": 8, "fill": "mask"}}
    first = cut(view(**spec), study, {"discs": discs()}, "L3/L4")
    every = cut(view(**spec, take="all"), study, {"discs": discs()}, "L3/L4")

    assert {one.path.parts[0] for one in first.frames if one} == {"sagittal_t2"}
    assert first.mask.sum() == 4
    assert {one.path.parts[0] for one in every.frames if one} == {"sagittal_t1", "sagittal_t2"}
    assert every.mask.sum() == 8


def test_no_aliasing() -> None:
    """A board of single black and white pixels becomes grey when it is made four times smaller."""
    board = np.indices((64, 64)).sum(0) % 2 * 1000.0
    planes = Planes.of_images([[64, 64]], (1.0, 1.0))
    study = study_of((Stack(frames_of("b", 1), planes, "sagittal_t2"), Volume(board[None], planes)))
    small = view(around=None, slices={"count": 1}, size_mm=None, pixels=(16, 16), margin=1)
    crops = cut(small, study, {}, None)

    np.testing.assert_allclose(crops.pixels, 0.5, atol=0.02)


def test_whole_images_and_colour() -> None:
    """A photograph is shown whole, padded to keep its shape; each window gives three channels."""
    rng = np.random.default_rng(0)
    array = rng.integers(0, 256, (1, 30, 60, 3), np.uint8)
    planes = Planes.of_images([[30, 60]])
    stack = Stack(frames_of("p", 1), planes, "photo")
    study = StudyPixels(
        Study("p", "1", "p", (Series("s", "s", (stack,), "photo"),)), (Volume(array, planes),)
    )
    whole = view(
        "photo", around=None, slices={"count": 1}, size_mm=None, pixels=(60, 60), margin=1,
        windows=(WindowSpec(centre=127.5, width=255),),
    )  # fmt: skip
    crops = cut(whole, study, {}, None)

    assert crops.pixels.shape == (1, 3, 60, 60)
    assert (crops.pixels[0, :, :15] == 0).all()
    expected = np.moveaxis(array[0], -1, 0) / 255
    np.testing.assert_allclose(crops.pixels[0, :, 15:45], expected, atol=1e-3)
    stretched = cut(whole.model_copy(update={"aspect": "stretch"}), study, {}, None)
    assert (stretched.pixels[0, :, 5] > 0).any()


def test_grey_photographs_have_three_equal_colours() -> None:
    """A grey photograph gives as many channels as a coloured one, so that they stand in one batch.

    So does one that is missing.
    """
    planes = Planes.of_images([[20, 20]])
    grey = np.full((1, 20, 20), 51, np.int16)
    study = study_of((Stack(frames_of("p", 1), planes, "photo"), Volume(grey, planes)))
    whole = view(
        "photo", around=None, slices={"count": 1}, size_mm=None, pixels=(10, 10), margin=1,
        windows=(WindowSpec(centre=127.5, width=255),),
    )  # fmt: skip
    crops = cut(whole, study, {}, None)
    absent = cut(whole, study_of(field_stack("ct", AXIAL, count=1)), {}, None)

    assert crops.pixels.shape == absent.pixels.shape == (1, 3, 10, 10)
    np.testing.assert_allclose(crops.pixels, 0.2, atol=1e-3)


def test_windows_are_channels() -> None:
    """Each window is a channel; values outside are clipped."""
    study = study_of(field_stack("ct", AXIAL, count=2))
    both = (WindowSpec(centre=40, width=80), *FIXED)
    crops = cut(view("ct", windows=both), study, {"discs": discs()}, "L3/L4")

    assert crops.pixels.shape[1] == 2
    assert (crops.pixels[:, 0] == 1).all()
    np.testing.assert_allclose(crops.pixels[:, 1], shown(crops), atol=4e-3)


def test_only_what_is_needed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crop reads the rectangle that it covers, not the slices."""
    read = []

    def counting(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
        read.append(pixels.size)
        return windows.stretch(pixels, low, high)

    monkeypatch.setattr(sampling, "stretch", counting)
    study = study_of(field_stack("sagittal_t2", SAGITTAL, count=5, size=(200, 200)))
    cut(view(), study, {"discs": discs()}, "L3/L4")

    assert len(read) == 3
    assert max(read) <= 28 * 32


def test_percentiles_are_of_the_whole_slice() -> None:
    """The stretch of a crop does not depend on what the crop shows, and is computed once."""
    study = study_of(field_stack("sagittal_t2", SAGITTAL, count=3))
    stretched = view(windows=(WindowSpec(percentile=(1, 99)),), slices={"count": 3})
    crops = cut(stretched, study, {"discs": discs()}, "L3/L4")
    low, high = np.percentile(study.volumes[0].array, (1, 99), axis=(1, 2))[:, ::-1, None, None]
    expected = np.clip((shown(crops) * 1000 - low) / (high - low), 0, 1)

    np.testing.assert_allclose(crops.pixels[:, 0], expected, atol=1e-2)
