"""Which answers to leave to a person, by confidence and by size of sets."""

import numpy as np
import polars as pl
import pytest
from graded_tables import RUBRIC, arrays, tables

from overread.records import GradeSets, RecordError
from overread.scoring import referral_areas, referral_curves

LABELS, PREDICTIONS = tables(80, seed=4, skill=2.0)


def sets_of(predictions):
    """Sets of all grades with a probability of a fifth, and the most probable one."""
    holds = [[p >= min(0.2, max(row)) for p in row] for row in predictions.frame["probabilities"]]
    return GradeSets(predictions.frame.with_columns(holds=pl.Series(holds)))


SETS = sets_of(PREDICTIONS)


def test_areas():
    """Each way refers better than chance, worse than who knows the truth, with an interval."""
    table = referral_areas(RUBRIC, LABELS, PREDICTIONS, SETS, bootstrap=100)

    assert table.select("condition", "by").rows() == [
        (target, way) for target in RUBRIC.names for way in ("confidence", "entropy", "set")
    ]
    for row in table.iter_rows(named=True):
        assert row["best"] < row["area"] < row["risk"]
        assert row["low"] < row["area"] < row["high"]


def test_curves_belong_to_the_areas():
    """Where nobody is referred the risk is that of all; sets with other grades go first."""
    curves = referral_curves(RUBRIC, LABELS, PREDICTIONS, SETS)
    truth, chances = arrays(LABELS, PREDICTIONS, "kind")
    wrong = chances.argmax(1) != truth
    here = curves.filter(pl.col("condition") == "kind", pl.col("by") == "set")
    singles = (chances >= 0.2).sum(1) == 1
    at = np.abs(here["referred"].to_numpy() - (1 - singles.mean())).argmin()

    assert here["risk"][0] == pytest.approx(wrong.mean())
    assert here["risk"][int(at)] == pytest.approx(wrong[singles].mean(), abs=0.01)


def test_without_sets():
    """Confidence alone needs no sets."""
    table = referral_areas(RUBRIC, LABELS, PREDICTIONS, bootstrap=0)

    assert set(table["by"]) == {"confidence", "entropy"}
    assert table["low"].null_count() == len(table)


def test_answers_without_sets():
    """Sets of other units are refused."""
    some = GradeSets(SETS.frame.filter(pl.col("subject") != "s3"))

    with pytest.raises(RecordError, match="graded answers have no set, such as"):
        referral_areas(RUBRIC, LABELS, PREDICTIONS, some)
