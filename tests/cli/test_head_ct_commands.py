"""Head CTs from the command line: forged, inspected and scored."""

import json
from pathlib import Path

import polars as pl
import pytest
from calling import call


@pytest.fixture(scope="module")
def forged(tmp_path_factory) -> Path:
    """One scan, forged by the command."""
    folder = tmp_path_factory.mktemp("heads") / "scans"
    code, _, said = call("forge", "head_ct", folder, "--studies", 1, "--pixels", 128)
    assert (code, "1 studies in" in said) == (0, True)
    return folder


def test_forged_scans_are_head_cts(forged) -> None:
    """What was forged is told as one axial CT with its tilt."""
    code, said, _ = call("inspect", forged, "--json")
    [study] = json.loads(said)["studies"]
    [series] = study["series"]

    assert code == 0
    assert series["role"] == "ct"
    assert series["stacks"][0]["num_slices"] == len(list((forged / "stage_2_train").iterdir()))


def test_a_submission_is_scored(forged, tmp_path) -> None:
    """A table of halves costs ln 2 a row, in total and for each target."""
    labels = pl.read_csv(forged / "stage_2_train.csv")
    halves = labels.select("ID", Label=pl.lit(0.5))
    halves.write_csv(tmp_path / "halves.csv")
    code, said, _ = call(
        *("score", "head_ct", "--labels", forged / "stage_2_train.csv"),
        *("--predictions", tmp_path / "halves.csv", "--bootstrap", 20, "--json"),
    )
    scores = json.loads(said)["halves"]["rsna2019_head_ct"]

    assert code == 0
    assert scores["value"] == pytest.approx(0.693147, abs=1e-6)
    assert scores["n"] == len(labels)


def test_other_datasets_have_sizes_of_their_own(tmp_path) -> None:
    """--pixels is refused in one line where slices cannot be of another size."""
    code, _, said = call("forge", "lumbar", tmp_path / "new", "--pixels", 128)

    assert code == 2
    assert "leave --pixels out" in said
