"""Slices of scans in order, by geometry alone."""

import json

import numpy as np
import polars as pl
import pytest

from overread.imaging import read_studies
from overread.imaging.scan_order import GEOMETRY, place_slices, scan_slices


def rows(heights, *, tilt=0.0, series="s", study="t", names=None, flip=False):
    """Slices at heights along a tilted normal, in the order given."""
    row = np.array([1.0, 0, 0])
    column = np.array([0, np.cos(tilt), -np.sin(tilt)]) * (-1 if flip else 1)
    normal = np.cross(row, column) * (-1 if flip else 1)
    names = names or [f"u{i}" for i in range(len(heights))]
    geometry = [[*(normal * height), *row, *column] for height in heights]
    frame = pl.DataFrame(geometry, schema=list(GEOMETRY), orient="row")
    return frame.with_columns(
        unit=pl.Series(names, dtype=pl.String), study=pl.lit(study), series=pl.lit(series)
    )


@pytest.mark.parametrize("tilt", [0.0, 0.35, -0.2])
@pytest.mark.parametrize("flip", [False, True])
def test_slices_rise_to_the_head(tilt, flip):
    """The order is that along the normal, whatever the tilt and the direction of columns."""
    placed = place_slices(rows([20, -5, 10, 0], tilt=tilt, flip=flip))

    assert placed["unit"].to_list() == ["u1", "u3", "u2", "u0"]
    assert placed["place"].to_list() == [1, 2, 3, 4]
    assert placed["height_mm"].to_list() == pytest.approx([-5, 0, 10, 20], abs=1e-3)
    assert placed["site"].to_list() == ["1/0001", "1/0002", "1/0003", "1/0004"]


def test_series_are_numbered_within_their_study():
    """Each series has places of its own; numbers begin anew in each study."""
    frame = pl.concat([rows([3, 1], series="b"), rows([2], series="a"), rows([9], study="x")])
    placed = place_slices(frame.with_columns(unit=pl.Series(["p", "q", "r", "s"])))

    assert list(placed.select("unit", "site").iter_rows()) == [
        ("r", "1/0001"),
        ("q", "2/0001"),
        ("p", "2/0002"),
        ("s", "1/0001"),
    ]


def test_equal_positions_are_ordered_by_name():
    """Two slices at one place keep an order that no file system decides."""
    placed = place_slices(rows([5, 5, 0], names=["b", "a", "c"]))

    assert placed["unit"].to_list() == ["c", "a", "b"]


def test_no_studies_give_no_slices():
    """Nothing read is an empty table with all columns."""
    found = scan_slices([])

    assert len(found) == 0
    assert {"unit", "subject", "study", "series", "stack", "slice", "site"} <= set(found.columns)


def test_the_real_series_has_the_golden_order(real_data, golden):
    """A tilted series without instance numbers is ordered as the published tables order it."""
    folder = real_data / "head_ct" / "rsna2019_dicom_series"
    if not folder.is_dir() or not (golden / "ich_neighbours_a.json").is_file():
        pytest.skip("needs the real series and its golden order")
    fixture = json.loads((golden / "ich_neighbours_a.json").read_text())
    [expected] = fixture["cases"]["real_series"]["series_in_z_order"].values()
    found = scan_slices(read_studies(folder).studies)

    assert expected == found["unit"].to_list()
    assert np.diff(found["height_mm"]) == pytest.approx(np.full(31, 5.006), abs=0.01)
