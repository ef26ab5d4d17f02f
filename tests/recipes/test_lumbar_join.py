"""The recipe that joins real tables gives the figure that it promises."""

from pathlib import Path

import pytest
import yaml

from overread.pipeline import read_recipe, run, shipped_recipes


@pytest.fixture
def tables(real_data, tmp_path) -> Path:
    """The layout that the recipe expects, linked to real tables; skipped where there are none."""
    real, folder = real_data / "lumbar_rsna2024", tmp_path / "data"
    for below in ("labels", "oof_yu4u"):
        (folder / below).mkdir(parents=True)
    places = {
        "labels/train.csv": real / "labels" / "train.csv",
        "labels/folds_yu4u.csv": real / "labels" / "folds_yu4u.csv",
        **{f"oof_yu4u/{one.name}": one for one in (real / "oof_yu4u").glob("*.csv.gz")},
    }
    if len(places) < 9 or not all(place.is_file() for place in places.values()):
        pytest.skip(f"{real} with labels and oof_yu4u is absent")
    for name, place in places.items():
        (folder / name).symlink_to(place)
    return folder


def test_quick_joiners_score_as_told(tables, tmp_path) -> None:
    """A temperature fitted on other people is better than the plain mean; stacks take minutes."""
    recipe = yaml.safe_load(shipped_recipes()["lumbar_join"].read_text())
    recipe["ensembles"] = {name: recipe["ensembles"][name] for name in ("mean", "temperature")}
    recipe |= {"final": "temperature", "scores": [{"use": "rsna2024_lumbar"}], "compare": []}
    path = tmp_path / "quick.yaml"
    path.write_text(yaml.safe_dump(recipe))
    result = run(read_recipe(path), tables, tmp_path / "store")
    value = {
        row["predictor"]: row["value"]
        for row in result.scores.frame.iter_rows(named=True)
        if row["metric"] == "rsna2024_lumbar" and row["target"] is None and row["slice"] is None
    }

    assert value["mean"] == pytest.approx(0.3859, abs=2e-4)
    assert value["temperature"] == pytest.approx(0.3834, abs=5e-4)
