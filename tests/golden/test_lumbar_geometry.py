"""Slice order, planes, levels and the spine curve equal the original on every golden study."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_files import golden_files, inputs, record
from golden_study import (
    GoldenSeries,
    golden_series,
    level_points,
    planes_of,
    polyline_series,
    sagittal_points,
)

from overread.imaging import assign_levels, crosses_segments, level_polyline
from overread.imaging.curves import smoothing_spline, spline_angle

FILES = golden_files("lumbar_geometry")
# Crop recipe v11: above, below, left, right of the point, and its shift to the left, in mm.
V11_MM = (21.5, 14.5, 22.5, 22.5)
V11_SHIFT_MM = 5.0


@pytest.mark.parametrize("path", FILES)
def test_regenerated_pixels(path: Path) -> None:
    """The generator gives the pixels on which the original ran."""
    golden = record(path)
    study = inputs().lumbar_study(golden["inputs"]["case"])
    sums = {
        str(series["series_id"]): int(sum(int(one["pixels"].sum()) for one in series["slices"]))
        for series in study["series"]
    }

    assert sums == golden["inputs"]["pixel_sums"]


@pytest.mark.parametrize("path", FILES)
def test_slice_order(path: Path) -> None:
    """Slices run right to left and head to feet, whatever their file names and numbers."""
    golden = record(path)
    study = inputs().lumbar_study(golden["inputs"]["case"])
    for series in golden_series(study):
        expected = golden["outputs"]["order"][series.id]
        axis = 2 if series.role == "axial_t2" else 0

        assert series.instances == expected["instance_numbers"]
        np.testing.assert_allclose(
            series.planes.origin[:, axis], expected["standard_positions"], atol=1e-4
        )


@pytest.mark.parametrize("path", FILES)
def test_points_in_patient_space(path: Path) -> None:
    """Detected points are lifted to the millimetres of the original."""
    golden = record(path)
    study = inputs().lumbar_study(golden["inputs"]["case"])
    series = {one.id: one for one in golden_series(study)}
    for name, expected in golden["outputs"]["sagittal_world_mm"].items():
        np.testing.assert_allclose(
            sagittal_points(study, series[name]),
            expected,
            atol=golden["tolerance"]["world_mm"],
        )


@pytest.mark.parametrize("path", FILES)
def test_polyline_and_axial_levels(path: Path) -> None:
    """Every axial slice belongs to the level of the original, or to none."""
    golden = record(path)
    study = inputs().lumbar_study(golden["inputs"]["case"])
    chosen = polyline_series(study)
    points = sagittal_points(study, chosen)

    assert chosen.id == str(golden["outputs"]["polyline_series"])
    np.testing.assert_allclose(level_polyline(points), golden["outputs"]["polyline_mm"], atol=1e-4)
    axial = [one for one in golden_series(study) if one.role == "axial_t2"]
    for series in axial:
        levels = assign_levels(level_points(points), series.planes, levels=inputs().LEVELS)
        found = dict(zip(map(str, series.instances), levels, strict=True))

        assert found == golden["outputs"]["axial_level"][series.id]


@pytest.mark.parametrize("path", FILES)
def test_levels_of_single_planes(path: Path) -> None:
    """Oblique planes hit the segments that the original finds, and the first of them wins."""
    golden = record(path)
    line = np.array(golden["outputs"]["polyline_mm"])
    cases = golden["outputs"]["plane_levels"]
    planes = planes_of([{**case, "spacing": [1, 1]} for case in cases])
    hits = crosses_segments(planes.origin, planes.normal, line[:-1], line[1:])
    names = inputs().LEVELS
    found = [[names[i] for i in np.flatnonzero(row)] for row in hits]

    assert found == [case["all_crossed"] for case in cases]
    assert [(row or [None])[0] for row in found] == [case["level"] for case in cases]


@pytest.mark.parametrize("path", FILES)
def test_segments_and_planes(path: Path) -> None:
    """A plane crosses a segment, its ends included, exactly where the original says so."""
    for case in record(path)["outputs"]["segment_plane"]:
        found = crosses_segments(case["point"], case["normal"], case["a"], case["b"])

        assert found.tolist() == [[case["crosses"]]], case["name"]


@pytest.mark.parametrize("path", FILES)
def test_pixel_to_world(path: Path) -> None:
    """Pixels map to the original's millimetres; non-square ones as DICOM wants."""
    golden = record(path)
    outputs, tolerance = golden["outputs"], golden["tolerance"]["world_mm"]
    bug = outputs["known_bug_nonsquare_pixels"]
    right = {**bug, "spacing": bug["spacing_row_column"], "world": bug["dicom_world"]}
    for case in [*outputs["pixel_to_world"], right]:
        points = np.array(case["columns_rows"])
        world = planes_of([case]).to_world(np.zeros(len(points), int), points)

        np.testing.assert_allclose(world, case["world"], atol=tolerance)


@pytest.mark.parametrize("path", FILES)
def test_spine_curve(path: Path) -> None:
    """The smooth curve through the discs is the original's."""
    golden = record(path)
    for case in [*golden["outputs"]["spline"], *golden["outputs"]["spline_cases"]]:
        curve = smoothing_spline(np.stack([case["x"], case["y"]], 1))

        np.testing.assert_allclose(
            curve,
            np.stack([case["x_smooth"], case["y_smooth"]], 1),
            atol=golden["tolerance"]["spline_px"],
        )


def v11_corners(point: np.ndarray, angle: float, spacing: float) -> np.ndarray:
    """The rotated rectangle of recipe v11, in px."""
    top, bottom, left, right = np.array(V11_MM) / spacing
    box = np.array([[-left, -top], [right, -top], [right, bottom], [-left, bottom]])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shift = V11_SHIFT_MM / spacing * np.array([np.cos(angle), np.sin(angle)])
    return np.asarray(box @ turn + point - shift)


def spacing_at(series: GoldenSeries, study: dict[str, Any], point: np.ndarray) -> float:
    """The pixel size of the slices on which a share of the image is this pixel."""
    shares = np.array(study["sagittal_points"][series.id])
    for pixels, spacing in zip(series.pixels, series.planes.spacing, strict=True):
        size = np.array(pixels.shape[::-1])
        if np.linalg.norm(shares * size - point, axis=1).min() < 0.01:
            return float(spacing[0])
    raise LookupError(f"no slice of series {series.id} has a detected point at {point}")


@pytest.mark.parametrize("path", FILES)
def test_rotated_rectangles(path: Path) -> None:
    """Angles of the spine and corners of the rotated crops are the original's."""
    golden = record(path)
    study = inputs().lumbar_study(golden["inputs"]["case"])
    series = {one.id: one for one in golden_series(study)}
    chains = {
        case["series_id"]: np.stack([case["x"], case["y"]], 1)
        for case in golden["outputs"]["spline"]
    }
    for case in golden["outputs"]["rectangles"]:
        point = np.array([case["x"], case["y"]])
        angle = spline_angle(chains[case["series_id"]], point)
        spacing = spacing_at(series[str(case["series_id"])], study, point)

        assert np.degrees(angle) == pytest.approx(case["angle_degrees"], abs=0.002)
        np.testing.assert_allclose(v11_corners(point, angle, spacing), case["corners"], atol=0.002)


@pytest.mark.parametrize("path", FILES)
def test_rectangles_of_other_curves(path: Path) -> None:
    """Straight, inclined and bent spines give the original's angles and corners."""
    for case in record(path)["outputs"]["spline_cases"]:
        chain = np.stack([case["x"], case["y"]], 1)
        for point, expected in zip(chain, case["levels"], strict=True):
            angle = spline_angle(chain, point)

            assert np.degrees(angle) == pytest.approx(expected["angle_degrees"], abs=0.002)
            np.testing.assert_allclose(
                v11_corners(point, angle, case["spacing"]), expected["corners"], atol=0.002
            )
