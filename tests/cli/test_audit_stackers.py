"""Stackers of real tables, audited as a user would: folds of rows are refused, of subjects not."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from typer.testing import CliRunner

from overread.cli import app

pytestmark = pytest.mark.slow

WORDS = ("Normal/Mild", "Moderate", "Severe")
GRADES = ("normal_mild", "moderate", "severe")
ASKED = "spinal_canal_stenosis"


@pytest.fixture(scope="module")
def lumbar(real_data: Path) -> Path:
    """The folder of tables."""
    return real_data / "lumbar_rsna2024"


@pytest.fixture(scope="module")
def stackers(lumbar, tmp_path_factory) -> Path:
    """Trees on what seven real networks say of a whole study: by_row.csv and by_subject.csv."""
    tables = [pl.read_csv(path) for path in sorted((lumbar / "oof_yu4u").glob("*.csv.gz"))]
    said = pl.concat([table.select("row_id", *GRADES) for table in tables])
    said = (
        said.group_by("row_id")
        .agg(pl.col(GRADES).mean())
        .with_columns(
            pl.col("row_id").str.split_exact("_", 1).struct[0].alias("study_id"),
            pl.col("row_id").str.split_exact("_", 1).struct[0].str.len_chars().alias("cut"),
        )
    )
    said = said.with_columns(column=pl.col("row_id").str.slice(pl.col("cut") + 1))
    wide = said.pivot("column", index="study_id", values=GRADES).fill_null(1 / 3).sort("study_id")
    truth = pl.read_csv(lumbar / "labels" / "train.csv").with_columns(
        pl.col("study_id").cast(pl.String)
    )
    truth = truth.unpivot(index="study_id", variable_name="column", value_name="grade")
    rows = said.join(truth.drop_nulls(), on=["study_id", "column"]).filter(
        pl.col("column").str.starts_with(ASKED)
    )
    rows = rows.sort("row_id")
    folder = tmp_path_factory.mktemp("stackers")
    for by in ("row", "subject"):
        _stacked(rows, wide, by == "row").write_csv(folder / f"by_{by}.csv")
    return folder


def _stacked(rows: pl.DataFrame, wide: pl.DataFrame, by_row: bool) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    of_study = rows.select("study_id").join(wide, on="study_id", maintain_order="left", how="left")
    level = rows["column"].rank("dense").to_numpy()[:, None]
    known = np.hstack([of_study.drop("study_id").to_numpy(), rows.select(GRADES).to_numpy(), level])
    grade = rows["grade"].replace_strict({word: at for at, word in enumerate(WORDS)}).to_numpy()
    study = rows["study_id"].rank("dense").to_numpy().astype(int) - 1
    fold = rng.integers(4, size=len(rows)) if by_row else rng.integers(4, size=len(rows))[study]
    chances = np.zeros((len(rows), 3))
    for one in range(4):
        trees = ExtraTreesClassifier(30, min_samples_leaf=2, random_state=0)
        trees.fit(known[fold != one], grade[fold != one])
        chances[fold == one] = trees.predict_proba(known[fold == one])
    chances = 0.98 * chances + 0.02 / 3
    return rows.select("row_id").with_columns(
        *(pl.Series(name, chances[:, at]) for at, name in enumerate(GRADES)),
        pl.Series("fold", fold),
    )


def _audit(lumbar: Path, table: Path) -> tuple[int, str]:
    members = [
        word
        for path in sorted((lumbar / "oof_yu4u").glob("yu4u_sagittal2_*.csv.gz"))
        for word in ("--member", str(path))
    ]
    words = ["--dataset", "rsna2024_lumbar", "--labels", str(lumbar / "labels" / "train.csv")]
    result = CliRunner().invoke(app, ["audit", str(table), *words, *members])
    return result.exit_code, result.stderr


def test_folds_of_rows_are_refused_by_what_the_table_says_of_itself(lumbar, stackers) -> None:
    """With a column of folds, the persons who are in several folds are counted."""
    code, error = _audit(lumbar, stackers / "by_row.csv")

    assert (code, "folds are given to rows, not to subjects" in error) == (1, True)


@pytest.mark.parametrize(("by", "expected"), [("row", 1), ("subject", 0)])
def test_folds_of_rows_are_refused_by_the_answers_alone(
    lumbar, stackers, tmp_path, by, expected
) -> None:
    """Without that column, what it adds follows the labels of a unit's siblings."""
    pl.read_csv(stackers / f"by_{by}.csv").drop("fold").write_csv(tmp_path / "stacked.csv")
    code, error = _audit(lumbar, tmp_path / "stacked.csv")

    assert (code, "the folds of the stacker were given to rows" in error) == (
        expected,
        expected == 1,
    )
