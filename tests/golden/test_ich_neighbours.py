"""The neighbour table and the ends of scans equal the published code on every golden case."""

from typing import Any

import polars as pl
import pytest
from golden_files import generated, golden_files, record
from ich_series import units

from overread.imaging import GEOMETRY, place_slices
from overread.imaging.neighbours import neighbours


def scans(case: dict[str, Any]) -> dict[str, list[str]]:
    """{series: slices in our order} of a case."""
    if "source" in case["input"]:
        return {"ID_4d28912ba6": list(units())}
    rows = pl.DataFrame(generated(case["input"]))
    axial = dict.fromkeys(GEOMETRY, 0.0) | {"row_x": 1.0, "column_y": 1.0}
    frame = rows.select(
        unit="image",
        study="patient",
        series="series",
        **{name: pl.col("z") if name == "position_z" else pl.lit(axial[name]) for name in GEOMETRY},
    )
    placed = place_slices(frame)
    return {name: list(part["unit"]) for (name,), part in placed.group_by("series")}


def offsets_of(words: str) -> list[int]:
    """[0, -1, 1] of "exp16 (t,-1,+1)"."""
    parts = words.partition("(")[2].rstrip(")").split(",")
    return [0 if part == "t" else int(part) for part in parts]


def cases() -> list[Any]:
    """Every case of every file."""
    files = [param.values[0] for param in golden_files("ich_neighbours")]
    return [
        pytest.param(case, id=f"{path.stem}-{name}")
        for path in files
        if path.name
        for name, case in record(path)["cases"].items()
    ]


@pytest.mark.skipif(not cases(), reason="no ich_neighbours fixture; set OVERREAD_GOLDEN")
@pytest.mark.parametrize("case", cases())
def test_table(case: dict[str, Any]) -> None:
    """Order, the five neighbours on both sides, and the slices that each experiment shows."""
    ours = scans(case)
    length = {unit: len(slices) for slices in ours.values() for unit in slices}

    assert case["series_in_z_order"] == ours
    for unit, row in case["slices"].items():
        place, n = row["position"], length[unit]
        for key, expected in row.items():
            if key.startswith(("pre", "post")):
                step = int(key.lstrip("preost")) * (-1 if key.startswith("pre") else 1)
                found = neighbours(place, n, [step], "blank")
                assert found == (() if expected is None else (expected,))
            if key.startswith("exp"):
                shown = [neighbours(place, n, [step], "nearest")[0] for step in offsets_of(key)]
                assert shown == expected
