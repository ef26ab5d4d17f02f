"""A review is ranked, complete, and says what it did not look at."""

import json

import numpy as np
import planted
import polars as pl
import pytest

from overread.auditing import (
    AuditSpec,
    Review,
    Suspicion,
    Tables,
    audit,
    compare_columns,
    compare_sets,
)
from overread.records import RecordError
from overread.scoring.two_sample import TwoSampleSpec

SPEC = AuditSpec()


def test_what_is_refused_comes_first_then_evidence_decides() -> None:
    """Ranks hold for the table and for JSON."""
    ones = [
        Suspicion("label", "review", 3.0, "c", "s3"),
        Suspicion("leak", "refuse", 1.0, "a"),
        Suspicion("point", "review", 9.0, "b", "s1"),
        Suspicion("split", "note", 99.0, "d"),
    ]
    review = Review.of(ones, {"folds": "none"}, {})
    told = json.loads(json.dumps(review.to_json()))

    assert review.to_frame()["reason"].to_list() == ["a", "b", "c", "d"]
    assert (told["refused"], told["suspicions"][3]["rank"]) == (["a"], 4)
    assert review.studies == ("s1", "s3")
    assert review.counts()["label"] == {"review": 1}


def test_evidence_without_end_is_refused() -> None:
    """Infinity cannot be ranked nor written as JSON."""
    with pytest.raises(RecordError, match="evidence inf"):
        Suspicion("label", "review", float("inf"), "x")


def test_a_sound_set_is_not_refused() -> None:
    """Honest answers and folds of subjects; every check says what it looked at."""
    labels, predictions = planted.world()
    tables = Tables(planted.RUBRIC, labels, predictions)
    review = audit(tables, spec=SPEC)

    assert review.refused == ()
    assert review.checks["folds"] == "as the predictions name them"
    assert review.checks["points"].startswith("not made: no marked points")
    assert review.checks["level shift"] == "150 studies"


def test_without_predictions_splits_are_still_checked() -> None:
    """Folds of rows are refused with labels alone."""
    labels, _ = planted.world(studies=20)
    tables = Tables(planted.RUBRIC, labels, folds=planted.folds_by_row(labels))
    review = audit(tables, spec=SPEC)

    assert len(review.refused) == 1
    assert review.checks["labels"].startswith("not made")


def test_a_leaking_member_is_refused_too() -> None:
    """A joined table is no better than the worst of its members."""
    labels, predictions = planted.world()
    copy = planted.predictions_of(0.9 * planted.values_of(labels) + 0.1 / 3, name="copy")
    review = audit(Tables(planted.RUBRIC, labels, predictions, members=[copy]), spec=SPEC)

    assert len(review.refused) == 2


def test_two_alike_sets_cannot_be_told_apart() -> None:
    """Half of one set against the other half; a changed scanner is told, and which column it is."""
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {
            "subject": [f"p{index // 2}" for index in range(400)],
            "age": rng.normal(60, 10, 400),
            "spacing": rng.normal(0.6, 0.1, 400),
            "maker": rng.choice(["A", "B"], 400),
        }
    )
    spec = TwoSampleSpec(folds=2, bootstrap=30, rounds=8)
    first, second = table[:200], table[200:]
    other = second.with_columns(spacing=pl.col("spacing") + 0.15, maker=pl.lit("B"))
    alike = compare_sets(first, second, subject="subject", spec=spec)
    apart = compare_sets(first, other, subject="subject", spec=spec)
    tests = compare_columns(first.drop("subject"), other.drop("subject"))

    assert alike.low is not None
    assert alike.low < 0.5 + 0.05
    assert apart.low is not None
    assert apart.low > 0.8
    assert set(tests.filter(pl.col("q") < 0.001)["column"]) == {"spacing", "maker"}
