"""Coverage of sets of grades: counted by true grade, with intervals by subject."""

import numpy as np
import polars as pl
import pytest
from graded_tables import RUBRIC, tables

from overread.records import GradeSets, Labels, RecordError
from overread.scoring import interval, set_coverage, subject_draws, wilson

LABELS, PREDICTIONS = tables(60)


def sets_of(predictions, *, least=0.25):
    """Sets of all grades with a probability of `least`, and the most probable one."""
    holds = [[p >= min(least, max(row)) for p in row] for row in predictions.frame["probabilities"]]
    return GradeSets(predictions.frame.with_columns(holds=pl.Series(holds)))


def row_of(table, condition, grade, site=None):
    same = pl.col("site").eq_missing(pl.lit(site)) & pl.col("grade").eq_missing(pl.lit(grade))
    return table.filter(pl.col("condition") == condition, same).row(0, named=True)


def test_counted_by_hand():
    """Coverage and size of a grade are those of the units that truly have it."""
    sets = sets_of(PREDICTIONS)
    known = LABELS.known().frame.join(sets.frame, on=("unit", "target"))
    rows = [
        one
        for one in known.filter(pl.col("target") == "kind").iter_rows(named=True)
        if one["probabilities"][2] == 1
    ]
    found = row_of(set_coverage(RUBRIC, LABELS, sets, bootstrap=0), "kind", "c")

    assert len(rows) == found["n"]
    assert np.mean([one["holds"][2] for one in rows]) == pytest.approx(found["coverage"])
    assert np.mean([sum(one["holds"]) for one in rows]) == pytest.approx(found["size"])
    assert np.mean([sum(one["holds"]) == 1 for one in rows]) == pytest.approx(found["single"])
    assert found["low"] is None


def test_all_and_sites():
    """All grades together come first; sites add up to the whole."""
    table = set_coverage(RUBRIC, LABELS, sets_of(PREDICTIONS), by_site=True, bootstrap=0)
    whole = row_of(table, "narrowing", "yes")
    parts = [row_of(table, "narrowing", "yes", site) for site in RUBRIC.sites]

    assert whole["n"] == sum(part["n"] for part in parts)
    assert whole["coverage"] * whole["n"] == pytest.approx(
        sum(part["coverage"] * part["n"] for part in parts)
    )
    assert row_of(table, "narrowing", None)["n"] == 2 * whole["n"] - (
        whole["n"] - row_of(table, "narrowing", "no")["n"]
    )


def test_intervals_by_subject():
    """Where units of a subject agree, the bootstrap by subject is wider than Wilson's interval."""
    frame = LABELS.frame.with_columns(probabilities=pl.lit([1.0, 0.0])).filter(
        pl.col("target") == "narrowing"
    )
    labels = Labels(frame)
    lucky = pl.col("subject").str.slice(1).cast(pl.Int64) % 3 == 0
    rows = PREDICTIONS.frame.filter(pl.col("target") == "narrowing")
    holds = pl.when(lucky).then(pl.lit([False, True])).otherwise(pl.lit([True, False]))
    sets = GradeSets(rows.with_columns(holds=holds))
    row = row_of(set_coverage(RUBRIC, labels, sets, bootstrap=400, seed=1), "narrowing", "no")

    assert row["low"] < row["wilson_low"] < row["coverage"] < row["wilson_high"] < row["high"]


def test_a_grade_that_nobody_has():
    """Without units there is a row, but no number."""
    labels = Labels(
        LABELS.known()
        .frame.filter(pl.col("target") == "kind")
        .filter(pl.col("probabilities").list.get(2) == 0)
    )
    row = row_of(set_coverage(RUBRIC, labels, sets_of(PREDICTIONS), bootstrap=10), "kind", "c")

    assert tuple(row[name] for name in ("n", "coverage", "low", "size")) == (0, None, None, None)


def test_what_cannot_be_measured():
    """Sets of two predictors, and sets without truth, are refused."""
    sets = sets_of(PREDICTIONS)
    both = GradeSets.concat([sets, GradeSets(sets.frame.with_columns(predictor=pl.lit("b")))])

    with pytest.raises(RecordError, match="one predictor at a time"):
        set_coverage(RUBRIC, LABELS, both)
    with pytest.raises(RecordError, match="none of them of a unit with a grade"):
        set_coverage(RUBRIC, Labels.empty(), sets)


def test_wilson():
    """Wilson's interval is that of the textbook, and 0 to 1 where nothing was seen."""
    low, high = wilson(np.array([0.9, 0.0, np.nan]), np.array([100, 10, 0]))

    assert pytest.approx(low.tolist(), abs=1e-4) == [0.8256, 0.0, 0.0]
    assert pytest.approx(high.tolist(), abs=1e-4) == [0.9448, 0.2775, 1.0]


def test_draws_and_intervals():
    """Everybody counts once first; each draw holds as many subjects; too few numbers, no range."""
    draws = subject_draws(7, 50, seed=2)

    assert np.ones(7).tolist() == draws[0].tolist()
    assert {7.0} == set(draws.sum(axis=1).tolist())
    assert interval(np.array([1.0, np.nan, np.nan])) == (None, None)
    assert pytest.approx(interval(np.arange(21.0))) == (0.5, 19.5)
