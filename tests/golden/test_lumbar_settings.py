"""The original's network inputs come out of the settings that a recipe names, study to tensor."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_files import golden_files, inputs, record
from golden_study import GoldenSeries, golden_series, level_points, polyline_series, study_pixels

from overread.imaging import (
    StudyPixels,
    ViewSpec,
    assign_levels,
    centre,
    collate,
    cut,
    mirror,
    study_stacks,
)
from overread.records import Keypoints, Study

FILES = golden_files("lumbar_tensors")
KEYS = {"t1": "sagittal_t1", "t2": "sagittal_t2", "ax": "axial_t2"}
V11_BOX = np.array([36.0, 45.0])


def points_on(
    series: GoldenSeries, index: int, shares: np.ndarray, first: float = -0.5
) -> np.ndarray:
    """World points of shares of an image, whose outer edge lies at `first`, px."""
    size = np.array(series.pixels[index].shape[::-1])
    return series.planes.to_world(np.full(len(shares), index), shares * size + first)


def locators(study: dict[str, Any], series: GoldenSeries, *, version: int) -> dict[str, Keypoints]:
    """The points around which one series is cut, as the original's detectors gave them.

    They count from the image's edge; only the warp of version 11 counts from the first pixel.
    """
    levels = inputs().LEVELS
    discs = polyline_series(study)
    chain = level_points(
        points_on(discs, len(discs.planes) // 2, np.array(study["sagittal_points"][discs.id]))
    )
    if series.role != "axial_t2":
        shares = np.array(study["sagittal_points"][series.id])
        first = 0 if version == 11 else -0.5
        return {"points": level_points(points_on(series, len(series.planes) // 2, shares, first))}
    of_slice = assign_levels(chain, series.planes, levels=levels)
    found = {}
    for level, share in study["axial_points"][series.id].items():
        slices = [index for index, name in enumerate(of_slice) if name == level]
        if slices:
            middle = slices[len(slices) // 2]
            found[level] = points_on(series, middle, np.array([share]))[0].tolist()
    return {"points": Keypoints.of(found)}


def only(pixels: StudyPixels, series: str) -> StudyPixels:
    """The study with one series."""
    study = pixels.study
    kept = tuple(one for one in study.series if one.id == series)
    volumes = tuple(
        volume
        for (one, _), volume in zip(study_stacks(study), pixels.volumes, strict=True)
        if one.id == series
    )
    return StudyPixels(Study(study.id, study.uid, study.subject, kept), volumes)


def view_of(entry: dict[str, Any], plane: str, count: int, px: int, box: np.ndarray) -> ViewSpec:
    """The settings of a recipe for one view; `box` is that of the original in native pixels."""
    sagittal = plane != "ax"
    slices: dict[str, Any] = {"count": count, "as_published": True}
    if not sagittal:
        slices["pick"] = "level"
    elif entry["view"] == "Ver6":
        slices["pick"] = "central"
    settings: dict[str, Any] = {"edges": "whole"}
    if sagittal and entry["version"] == 11:
        # The original's first pixel lies on the corner of the box, ours half a pixel inside.
        shift = np.array([-3.5, -5]) - V11_BOX / 2 / box
        settings = {"curve": "spline", "shift_mm": tuple(shift)}
    if entry["view"].startswith("Ver5"):
        # The original rounds the side's columns down, to the left and to the right.
        width = int(box[1])
        seen = int(width * 0.6) if entry["view"].endswith("right") else width - int(width * 0.4)
        settings["one_side"] = 0.5 if sagittal else seen / width
    return ViewSpec(
        preset=f"v{entry['version']}",
        series=(KEYS[plane],),
        around="points",
        slices=slices,
        pixels=(px, px),
        margin=1,
        **settings,
    )


def native_box(entry: dict[str, Any], series: GoldenSeries) -> np.ndarray:
    """Rows and columns of the original's crop (its sizes are truncated for v11)."""
    spacing = series.planes.spacing[len(series.planes) // 2]
    sizes = {8: (40, 60), 9: (35, 50), 11: (36, 45)}
    if series.role == "axial_t2":
        sizes = {8: (80, 70), 9: (45, 75), 11: (45, 75)}
    box = np.array(sizes[entry["version"]]) / spacing
    return np.floor(box) if entry["version"] == 11 and series.role != "axial_t2" else np.round(box)


def series_of(study: dict[str, Any], entry: dict[str, Any], plane: str) -> GoldenSeries | None:
    found = [one for one in golden_series(study) if one.role == KEYS[plane]]
    if plane == "ax" and entry["axial_series"] is not None:
        found = [one for one in found if one.id == str(entry["axial_series"])]
    return found[0] if found else None


@pytest.mark.parametrize("path", FILES)
def test_settings_reach_the_originals_inputs(path: Path) -> None:
    """Presets v8, v9, v11 and the views full, centre and side give the published tensors."""
    golden = record(path)
    study = inputs().lumbar_study(golden["inputs"]["case"])
    pixels = study_pixels(study)
    with np.load(path) as file:
        tensors = {key: file[key] for key in file.files if key != "meta"}
    compared = 0
    for entry in golden["entries"]:
        for plane in KEYS:
            wanted = tensors.get(f"{entry['key']}__{plane}")
            series = series_of(study, entry, plane)
            if wanted is None or series is None or not len(wanted):
                continue
            view = view_of(entry, plane, *wanted.shape[:2], native_box(entry, series))
            points = locators(study, series, version=entry["version"])
            found = cut(view, only(pixels, series.id), points, entry["level"])
            batch = collate({"v": [found]})
            if entry["view"].endswith("right"):
                batch = mirror(batch, {"v": view})
            seen = (centre(batch, {"v": view})["v"][0, :, 0] + 1) * 127.5 - 0.5
            if entry["view"].startswith("Ver5") and plane != "ax":
                seen = seen[::-1]  # the original's order is from the edge inwards
            off = np.abs(seen - wanted)
            compared += 1

            # Whole grey levels differ by 0.3 on average; the black border of a warp by more.
            share = 1.0 if wanted.min() > 0 else 0.9
            assert np.quantile(off, share) <= 3, (entry["key"], plane)
            assert off.mean() <= (0.5 if share == 1 else 1), (entry["key"], plane)
    assert compared > 20
