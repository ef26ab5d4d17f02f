"""The original's crops come out of `cut` when it is asked for the same rectangles."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_files import golden_files, inputs, record
from golden_study import GoldenSeries, golden_series, study_pixels

from overread.imaging import StudyPixels, ViewSpec, chain_direction, cut
from overread.imaging.curves import spline_angle
from overread.records import Keypoints

FILES = golden_files("lumbar_crops")
# Height, width and downward shift in mm of the recipes, by version and plane. Version 11 turns
# its sagittal boxes, so that only its axial ones are plain rectangles.
BOXES = {
    (8, "sagittal"): (40, 60, 0),
    (8, "axial"): (80, 70, 0),
    (9, "sagittal"): (35, 50, -5),
    (9, "axial"): (45, 75, 5),
    (11, "axial"): (45, 75, 5),
}


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The crops of a fixture, one record each."""
    with np.load(path) as file:
        table = {key: file[key] for key in file.files if key not in ("meta", "pixels")}
        pixels = file["pixels"]
    rows = []
    for i, (height, width) in enumerate(table["shape"].astype(int)):
        start = int(table["offset"][i])
        row = {key: table[key][i] for key in ("level", "series_id", "instance", "version")}
        row["image"] = pixels[start : start + height * width].reshape(height, width)
        rows.append(row)
    return rows


def centre_px(row: dict[str, Any], study: dict[str, Any], series: GoldenSeries) -> np.ndarray:
    """The detected point on the slice of a crop, px."""
    index = series.instances.index(int(row["instance"]))
    height, width = series.pixels[index].shape
    level = inputs().LEVELS[int(row["level"])]
    if series.role == "axial_t2":
        share = study["axial_points"][series.id][level]
    else:
        share = study["sagittal_points"][series.id][int(row["level"])]
    return np.asarray(np.array(share) * [width, height])


def cut_alike(
    row: dict[str, Any], study: dict[str, Any], series: GoldenSeries, pixels: StudyPixels
) -> np.ndarray:
    """Our crop of the same rectangle, in grey levels."""
    index = series.instances.index(int(row["instance"]))
    plane = series.role.split("_")[0]
    height_mm, width_mm, down_mm = BOXES[int(row["version"]), plane]
    spacing = series.planes.spacing[index]
    centre = centre_px(row, study, series) + np.array([0, down_mm / spacing[0]])
    left = round(centre[0] - width_mm / spacing[1] / 2)
    top = round(centre[1] - height_mm / spacing[0] / 2)
    height, width = row["image"].shape
    middle = series.planes.to_world([index], [[left + (width - 1) / 2, top + (height - 1) / 2]])
    view = ViewSpec(
        series=(series.role,),
        around="box",
        slices={"count": 1, "pick": "nearest", "merge": True},
        size_mm=(height * spacing[0], width * spacing[1]),
        pixels=(height, width),
        margin=1,
    )
    crops = cut(view, pixels, {"box": Keypoints.of({"here": middle[0].tolist()})}, "here")
    return np.asarray(crops.pixels[0, 0], np.float32) * 255


@pytest.mark.parametrize("path", FILES)
def test_plain_rectangles(path: Path) -> None:
    """Every unturned crop of the original is ours, to a grey level and its rounding."""
    study = inputs().lumbar_study(record(path)["inputs"]["case"])
    series = {one.id: one for one in golden_series(study)}
    pixels = study_pixels(study)
    compared = 0
    for row in rows_of(path):
        one = series[str(row["series_id"])]
        if (int(row["version"]), one.role.split("_")[0]) not in BOXES:
            continue
        found = cut_alike(row, study, one, pixels)
        compared += 1

        # The original truncates to whole grey levels; ours are 16-bit floats.
        np.testing.assert_allclose(found, row["image"] + 0.5, atol=1.6)
    assert compared > 50


def cut_turned(
    row: dict[str, Any], study: dict[str, Any], series: GoldenSeries, pixels: StudyPixels
) -> np.ndarray:
    """Our crop along the spine by recipe v11, with the published angle, in grey levels."""
    index = series.instances.index(int(row["instance"]))
    size = np.array(series.pixels[index].shape[::-1])
    chain = np.array(study["sagittal_points"][series.id]) * size
    point = chain[int(row["level"])]
    angle = spline_angle(chain, point)
    below = point + 20 * np.array([-np.sin(angle), np.cos(angle)])
    world = series.planes.to_world([index, index], [point, below])
    height, width = row["image"].shape
    # 36 mm = 21.5 above and 14.5 below, 5 mm to the front; the original's first pixel lies on the
    # corner of the box, ours half a pixel inside.
    view = ViewSpec(
        series=(series.role,),
        around="spine",
        slices={"count": 1, "pick": "nearest", "merge": True},
        size_mm=(36, 45),
        shift_mm=(-3.5 - 18 / height, -5 - 22.5 / width),
        straighten=True,
        pixels=(height, width),
        margin=1,
    )
    points = Keypoints.of({"here": world[0].tolist(), "below": world[1].tolist()})
    crops = cut(view, pixels, {"spine": points}, "here")
    return np.asarray(crops.pixels[0, 0], np.float32) * 255


@pytest.mark.parametrize("path", FILES)
def test_turned_rectangles(path: Path) -> None:
    """Crops along the spine are the original's inside: mean 0.5, at most 4 grey levels off."""
    study = inputs().lumbar_study(record(path)["inputs"]["case"])
    series = {one.id: one for one in golden_series(study)}
    pixels = study_pixels(study)
    for row in rows_of(path):
        one = series[str(row["series_id"])]
        if row["version"] != 11 or one.role == "axial_t2":
            continue
        off = np.abs(cut_turned(row, study, one, pixels) - 0.5 - row["image"])[1:-1, 1:-1]

        assert off.mean() <= 0.5
        assert off.max() <= 4


@pytest.mark.parametrize("path", golden_files("lumbar_geometry"))
def test_robust_direction_is_near_the_published_one(path: Path) -> None:
    """The local fit that straightens crops differs from the published spline by 4 degrees at most.

    The original differentiates a spline of a spline, which is least certain at the ends.
    """
    for case in record(path)["outputs"]["spline"]:
        chain = np.stack([case["x"], case["y"]], 1)
        for index, point in enumerate(chain):
            along = chain_direction(chain, index)
            assert along is not None
            angle = np.degrees(np.arctan2(-along[0], along[1]))
            assert angle == pytest.approx(np.degrees(spline_angle(chain, point)), abs=4)
