"""The command `audit`: what it writes, and what it says of wrong usage."""

import json

import polars as pl
import pytest
from calling import call

from overread.datasets import rsna2024_lumbar as lumbar
from overread.datasets.lumbar_rows import COLUMNS, WORDS


@pytest.fixture
def tables(tmp_path):
    """Labels of four studies, two tables of predictions, and three points of each study."""
    studies = [str(study) for study in range(1, 5)]
    rows = [
        {
            "study_id": study,
            **{name: WORDS[(int(study) + at) % 3] for at, name in enumerate(COLUMNS)},
        }
        for study in studies
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "train.csv")
    ids = [lumbar.row_id(study, *one) for study in studies for one in COLUMNS.values()]
    for name, first in (("one", 0.5), ("two", 0.6)):
        numbers = {"normal_mild": first, "moderate": 0.9 - first, "severe": 0.1}
        frame = pl.DataFrame({"row_id": ids})
        frame.with_columns(pl.lit(value).alias(key) for key, value in numbers.items()).write_csv(
            tmp_path / f"{name}.csv"
        )
    marks = [
        {
            "study_id": study,
            "series_id": "7",
            "instance_number": 4,
            "condition": "Spinal Canal Stenosis",
            "level": level,
            "x": 100 + int(study),
            "y": 50 * at + int(study) ** 2,
            "height": 300.0,
            "width": 300.0,
        }
        for study in studies
        for at, level in enumerate(("L1/L2", "L2/L3", "L3/L4"))
    ]
    pl.DataFrame(marks).write_csv(tmp_path / "points.csv")
    return tmp_path


def _audit(folder, *more) -> tuple[int, str, str]:
    words = ("--labels", folder / "train.csv", "--dataset", "lumbar")
    return call("audit", folder / "one.csv", *words, *more)


def test_json_has_every_check_and_nothing_else_on_stdout(tables) -> None:
    """Few units refuse nothing; what was not looked at says why."""
    code, said, _ = _audit(tables, "--points", tables / "points.csv", "--json")
    told = json.loads(said)

    assert (code, told["refused"]) == (0, [])
    assert told["checks"]["points"] == "12 points of 4 studies"
    assert told["checks"]["folds"].startswith("not made")
    assert "fewer than 200 graded units" in told["checks"]["copied labels"]


def test_every_study_is_ranked(tables) -> None:
    """Also what is not suspicious, as a whole and by question."""
    out = tables / "ranking.csv"
    code, _, _ = _audit(tables, "--points", tables / "points.csv", "--ranking", out)
    ranked = pl.read_csv(out).filter(list="points")

    assert code == 0
    assert ranked.filter(pl.col("target").is_null())["rank"].to_list() == [1, 2, 3, 4]
    assert set(ranked["target"].drop_nulls()) == {"spinal_canal_stenosis"}


def test_several_tables_are_averaged_and_taken_for_members(tables) -> None:
    """The mean is audited against each."""
    code, said, _ = _audit(tables, tables / "two.csv", "--json")

    assert (code, json.loads(said)["checks"]["stacker"]) == (0, "against 2 members")


@pytest.mark.parametrize("end", ["html", "csv", "json"])
def test_output_follows_the_suffix(tables, end) -> None:
    """A page, a table or JSON; the place is told on stderr."""
    code, _, error = _audit(tables, "-o", tables / f"review.{end}")

    assert (code, f"review.{end}" in error) == (0, True)
    assert (tables / f"review.{end}").stat().st_size > 50


def test_wrong_usage_is_told(tables) -> None:
    """A suffix that is none, tables without labels, a table that is not there."""
    assert _audit(tables, "-o", "x.pdf")[0] == 2
    assert call("audit", tables / "one.csv")[0] == 2
    code, _, error = call("audit", tables / "none.csv", "--dataset", "lumbar")

    assert code == 1
    assert "none.csv: found no such table; name tables, or one recipe" in error


def test_folds_without_their_columns_are_told(tables) -> None:
    """The words list what was found and what is expected."""
    pl.DataFrame({"who": ["1"], "part": [0]}).write_csv(tables / "folds.csv")
    code, _, error = _audit(tables, "--folds", tables / "folds.csv")

    assert code == 1
    assert "found the columns who, part, expected one of subject" in error


def test_a_fold_that_is_no_number_is_told(tables) -> None:
    """The words show it."""
    pl.DataFrame({"study_id": ["1"], "fold": ["a"]}).write_csv(tables / "folds.csv")
    code, _, error = _audit(tables, "--folds", tables / "folds.csv")

    assert (code, 'found the fold "a", expected a whole number' in error) == (1, True)


def test_a_recipe_that_has_not_run_is_told(tmp_path) -> None:
    """The words say what to do first."""
    code, _, error = call("audit", "tiny/lumbar_two_stage", "--store", tmp_path / "store")

    assert (code, "run it first" in error) == (1, True)
