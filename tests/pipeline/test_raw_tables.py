"""Tables of slices in raw logits are members, and the report says which are over-confident."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from table_folder import LUMBAR, STUDIES, write_recipe, write_tables

from overread.pipeline import RunError, Store, graph_of, read_recipe, run
from overread.pipeline.stages.predict import load_predictions

GRADES = ("normal", "moderate", "severe")
LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")


def _raw(folder: Path, name: str, *, scale: float) -> None:
    """Write two slices a level, whose logits are `scale` times those of noisy sense."""
    rng = np.random.default_rng(5)
    truth = pl.read_csv(folder / "train.csv")
    words = ("Normal/Mild", "Moderate", "Severe")
    rows = []
    for study in STUDIES:
        told = truth.filter(pl.col("study_id") == int(study)).to_dicts()[0]
        for level in LEVELS:
            slug = level.lower().replace("/", "_")
            grade = words.index(told[f"spinal_canal_stenosis_{slug}"])
            for _ in range(2):
                logits = scale * (1.2 * np.eye(3)[grade] + rng.normal(0, 1, 3))
                rows.append((int(study), level, *logits.tolist()))
    columns = [f"pred_spinal_canal_stenosis_{grade}" for grade in GRADES]
    frame = pl.DataFrame(rows, schema=["study_id", "level", *columns], orient="row")
    frame.write_csv(folder / "oof" / f"{name}.csv")


def _recipe(folder: Path, rows: object, *, trust: bool = True) -> Path:
    path = write_recipe(folder, ("loud",))
    content = yaml.safe_load(path.read_text())
    content["members"]["loud"]["rows"] = rows
    if trust:
        content["trust"] = {"verdicts": True, "bootstrap": 20}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_an_over_confident_table_of_slices_is_told_on_the_page(tmp_path) -> None:
    """Slices of a level become one answer; the verdict says by how much it is too sure."""
    data = write_tables(tmp_path / "data", oof={})
    _raw(data, "loud", scale=6.0)
    recipe = read_recipe(_recipe(tmp_path, {"numbers": "logits", "several": "mean"}))

    ran = run(recipe, data, tmp_path / "store")

    graph = graph_of(recipe, data, tmp_path / "store")
    said = load_predictions(Store(tmp_path / "store").folder(graph.predictors["loud"]))
    assert len(said) == len(STUDIES) * len(LEVELS)
    verdicts = pl.read_parquet(next((tmp_path / "store" / "trust").glob("*/verdicts.parquet")))
    assert verdicts.select("member", "verdict").rows() == [("loud", "calibrated")]
    assert verdicts["temperature"][0] > 2
    page = (ran.report / "page.html").read_text()
    assert "Verdicts on members" in page
    assert verdicts["reason"][0] in page


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"numbers": "logit"}, "rows.numbers: Input should be 'logits'"),
        ({"several": "mean", "of": 2}, "rows.of: Extra inputs are not permitted"),
    ],
)
def test_wrong_words_about_rows_are_told_with_the_file(tmp_path, rows, words) -> None:
    """The line names the table."""
    data = write_tables(tmp_path / "data", oof={"loud": ""})
    recipe = read_recipe(_recipe(tmp_path, rows, trust=False))

    with pytest.raises(RunError) as told:
        run(recipe, data, tmp_path / "store")

    assert words in str(told.value)
    assert "oof/loud.csv" in str(told.value)


def test_a_dataset_without_such_rows_says_so(tmp_path) -> None:
    """Only the lumbar dataset knows tables of slices."""
    from overread.datasets import DatasetError
    from overread.inference import TableSpec, read_member_table
    from overread.shelf import Named

    assert hasattr(LUMBAR, "read_levels")
    with pytest.raises(DatasetError, match="reads tables in the layout of its submissions only"):
        read_member_table(
            Named(use="mask_faces"),
            TableSpec(table="a.csv", rows={"numbers": "logits"}),
            tmp_path / "a.csv",
            "a",
        )
