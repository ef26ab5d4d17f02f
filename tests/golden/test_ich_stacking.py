"""Stacking features and the averaging of many targets equal the published code."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from golden_files import generated, golden_files, record

from overread.ensembling.neighbours import feature_names, neighbour_features, scan_order
from overread.ensembling.offset_targets import average_offsets
from overread.imaging import GEOMETRY, place_slices


def placed(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The rows with sites, still in their order; `row` is their index."""
    axial = dict.fromkeys(GEOMETRY, 0.0) | {"row_x": 1.0, "column_y": 1.0}
    frame = pl.DataFrame(rows).with_row_index("row")
    geometry = {
        name: pl.col("z") if name == "position_z" else pl.lit(axial[name]) for name in GEOMETRY
    }
    slices = frame.select("row", unit="image", study="patient", series="series", **geometry)
    return place_slices(slices).sort("row")


@pytest.mark.parametrize("path", golden_files("ich_stacking"))
def test_features(path: Path) -> None:
    """401 columns of each label, NaN where the scan ends, to 1e-12; names tell stream and step."""
    golden = record(path)
    source, arrays = golden["inputs"]["predictions"], np.load(path)
    slices = placed(generated(golden["inputs"]["rows"]))
    said = generated(source).reshape(len(slices), len(source["models"]), len(source["labels"]))
    weights = np.array([golden["blend_weights"][name] for name in source["models"]])
    blend = np.einsum("m,nml->nl", weights, said) / golden["blend_divisor"]
    order, scan = scan_order(slices)
    wanted = {unit: row for row, unit in enumerate(golden["row_order"])}
    back = [wanted[unit] for unit in slices["unit"].to_numpy()[order]]
    for key in [name for name in arrays.files if name.startswith("features_")]:
        label = source["labels"].index(key.removeprefix("features_"))
        streams = np.concatenate([blend[:, None, label], said[:, :, label]], axis=1)[order]
        found = neighbour_features(streams, scan, reach=20)
        expected = arrays[key][back]

        assert found.shape == (len(slices), 401)
        assert (np.isnan(expected) == np.isnan(found)).all()
        assert np.nanmax(np.abs(expected - found)) < golden["tolerance"]["features"]
    assert feature_names(golden["streams"], 20)[:3] == ["blend", "blend -1", "10 -1"]
    assert len(feature_names(golden["streams"], 20)) == 401


@pytest.mark.parametrize("path", golden_files("ich_multitarget"))
@pytest.mark.parametrize(("experiment", "beyond"), [("exp34", "drop"), ("exp36", "nearest")])
def test_many_targets(path: Path, experiment: str, beyond: Any) -> None:
    """What three slices say of one is averaged, to 1e-12, with either policy at the ends."""
    golden = record(path)
    rows = sorted(generated(golden["inputs"]["rows"]), key=lambda row: (row["series"], row["z"]))
    said = generated(golden["inputs"]["predictions"]).reshape(len(rows), 3, -1)
    order, scan = scan_order(placed(rows))
    step = golden[experiment]["offset"]
    found = average_offsets(said[order], scan, (0, -step, step), beyond=beyond)
    units = [rows[index]["image"] for index in order]
    expected = np.array([golden[experiment]["outputs"][unit] for unit in units])

    assert np.abs(expected - found).max() < golden["tolerance"]
