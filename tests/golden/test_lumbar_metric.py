"""The official lumbar score equals the original on every golden table."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from overread.datasets import DatasetError
from overread.datasets import rsna2024_lumbar as lumbar
from overread.records import Labels, Predictions
from overread.scoring import score
from overread.shelf import Named

ROOT = Path(__file__).parents[2]
GOLDEN = Path(os.environ.get("OVERREAD_GOLDEN", ROOT / "../shared/golden/visible"))
DATA = Path(os.environ.get("OVERREAD_DATA", ROOT / "../shared/data"))
RUBRIC = lumbar.rubric(lumbar.Spec())
SIDES = ("foraminal", "subarticular")
GRADES = ("normal_mild", "moderate", "severe")


def cases() -> list[Any]:
    """Every case of every table file in the golden folder."""
    return [
        pytest.param(
            case, json.loads(path.read_text())["columns"], id=f"{path.stem}-{case['name']}"
        )
        for path in sorted(GOLDEN.glob("lumbar_metric_tables_*.json"))
        for case in json.loads(path.read_text())["cases"]
    ]


def tables(case: dict[str, Any], columns: list[str]) -> tuple[Labels, pl.DataFrame]:
    """The labels and the submission of a case."""
    words = {"0": "Normal/Mild", "1": "Moderate", "2": "Severe", "-": None}
    train = pl.DataFrame(
        {
            "study_id": [str(study) for study in case["study_ids"]],
            **{
                column: pl.Series([words[row[place]] for row in case["labels"]], dtype=pl.String)
                for place, column in enumerate(columns)
            },
        }
    )
    names = [f"{study}_{column}" for study in case["study_ids"] for column in columns]
    numbers = np.array(case["predictions"], case["dtype"]).astype(float).reshape(-1, 3)
    submission = pl.DataFrame({"row_id": names, **dict(zip(GRADES, numbers.T, strict=True))})
    return lumbar.labels_of(train), submission


def terms(labels: Labels, predictions: Predictions, **settings: Any) -> dict[str, float | None]:
    """{term: value}, the total called "score"."""
    named = Named.model_validate({"use": "rsna2024_lumbar", **settings})
    values = score(named, labels, predictions, RUBRIC)
    return {one.slice or "score": one.value for one in values}


def sides(predictions: Predictions) -> Predictions:
    """The rows of the paired targets."""
    return Predictions(
        predictions.frame.filter(pl.col("target").str.contains("foraminal|subarticular"))
    )


def check(expected: dict[str, Any], labels: Labels, predictions: Predictions, **more: Any) -> None:
    """Compare every output of the original that it gave a number for, or refused."""
    tolerance = 1e-4 if more.get("precision") == "float32" else 1e-9
    ours = terms(labels, predictions, **more)
    ours["any_severe_spinal"] = ours.get("any_severe")
    if {"spinal", "any_severe"} <= set(ours):
        both = (ours["spinal"], ours["any_severe"])
        ours["spinal_plus_any_over_2"] = None if None in both else sum(both) / 2  # type: ignore[arg-type]
    ours["side_rows_only"] = terms(labels, sides(predictions), **more).get("score")
    for scalar in (0.0, 2.5):
        name = f"score_any_severe_scalar_{scalar}"
        ours[name] = terms(labels, predictions, any_severe_scalar=scalar, **more)["score"]
    for name, value in expected.items():
        if name == "score_any_severe_scalar_0.0" and value == "raises ValueError":
            continue  # ours leaves a term of weight 0 out, and so has a number
        if isinstance(value, str):
            assert ours[name] is None, name
        elif name in (*ours, "score"):
            assert ours[name] == pytest.approx(value, abs=tolerance, rel=0), name


@pytest.mark.skipif(not cases(), reason=f"no golden metric tables in {GOLDEN}")
@pytest.mark.parametrize(("case", "columns"), cases())
def test_tables(case: dict[str, Any], columns: list[str]) -> None:
    """Every term equals the original; where the original refuses, ours is null or says why."""
    labels, submission = tables(case, columns)
    if case["name"].startswith("row_of_zeros"):
        with pytest.raises(DatasetError, match="sum"):
            lumbar.read_submission(lumbar.Spec(), submission, "golden")
        return
    predictions = lumbar.read_submission(lumbar.Spec(), submission, "golden")

    check(case["outputs"], labels, predictions, precision=case["dtype"])


def blend(paths: list[Path]) -> pl.DataFrame:
    """Mean per row_id over all files."""
    rows = pl.concat([pl.read_csv(path).select("row_id", *GRADES) for path in paths])
    return rows.group_by("row_id").agg(pl.col(GRADES).mean()).sort("row_id")


@pytest.fixture(scope="module")
def real() -> tuple[dict[str, Any], Labels, list[Path]]:
    """The golden record, the labels and the seven files of real predictions."""
    records = sorted(GOLDEN.glob("lumbar_metric_dev*.json"))
    folder = DATA / "lumbar_rsna2024"
    if not records or not folder.is_dir():
        pytest.skip(f"needs lumbar_metric_dev*.json in {GOLDEN} and {folder}")
    record = json.loads(records[0].read_text())
    table = folder / "labels" / "train.csv"
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    if digest != record["inputs"]["labels_sha256"]:
        pytest.skip(f"{table} is another version than the golden one")
    files = [folder / "oof_yu4u" / name for name in record["inputs"]["files"]]
    return record["outputs"], lumbar.read_labels(lumbar.Spec(), table), files


def test_real_blend(real: tuple[dict[str, Any], Labels, list[Path]]) -> None:
    """The mean of seven real out-of-fold files scores what the original gives it."""
    outputs, labels, files = real
    predictions = lumbar.read_submission(lumbar.Spec(), blend(files), "blend")

    check(outputs["mean_of_available_rows"], labels, predictions)


def test_real_files_alone(real: tuple[dict[str, Any], Labels, list[Path]]) -> None:
    """A file that lacks targets is scored on those that it has, as the original does."""
    outputs, labels, files = real
    for path in files:
        submission = pl.read_csv(path)
        predictions = lumbar.read_submission(lumbar.Spec(), submission, path.stem)

        check(outputs["single_files"][path.name]["alone"], labels, predictions)


def test_real_missing_rows(real: tuple[dict[str, Any], Labels, list[Path]]) -> None:
    """Rows that no file predicts can be filled with one third; the order is irrelevant."""
    outputs, labels, files = real
    every = labels.frame.select(
        row_id=pl.struct("study", "target", "site").map_elements(
            lambda row: lumbar.row_id(row["study"], row["target"], row["site"]),
            return_dtype=pl.String,
        )
    )
    filled = every.join(blend(files), on="row_id", how="left").fill_null(1 / 3)
    shuffled = filled.sample(fraction=1.0, shuffle=True, seed=3)
    predictions = lumbar.read_submission(lumbar.Spec(), shuffled, "filled")

    check(outputs["missing_rows_uniform"], labels, predictions)


def test_uniform_has_the_closed_form(real: tuple[dict[str, Any], Labels, list[Path]]) -> None:
    """One third everywhere costs ln 3 in each group."""
    outputs, labels, _ = real
    uniform = labels.frame.select("unit", "study", "subject", "site", "target").with_columns(
        probabilities=pl.lit([1 / 3] * 3),
        fold=pl.lit(None, pl.Int64),
        predictor=pl.lit("uniform"),
        role=pl.lit("oof"),
    )
    ours = terms(labels, Predictions(uniform))

    assert [pytest.approx(np.log(3), abs=1e-9)] * 2 == [ours[side] for side in SIDES]
    check(outputs["all_uniform"], labels, Predictions(uniform))
