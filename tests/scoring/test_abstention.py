"""Risk when the least sure answers are left to a person."""

import numpy as np
import polars as pl
import pytest
from graded_tables import RUBRIC, arrays, repeated, tables

from overread.records import Predictions
from overread.scoring import evaluate, join, score
from overread.scoring.abstention import Spec, measures, risk_kept, weighed_area
from overread.shelf import Named

LABELS, PREDICTIONS = tables(50)


def area(predictions, **settings):
    named = Named.model_validate({"use": "abstention", **settings})
    found = score(named, LABELS, predictions, RUBRIC)
    return {(one.target, one.slice): one.value for one in found}


def test_area_is_the_mean_risk_over_shares():
    """The area is that under the curve, integrated numerically."""
    truth, chances = arrays(LABELS, PREDICTIONS, "degeneration")
    wrong = (chances.argmax(1) != truth).astype(float)
    shares = (np.arange(200_000) + 0.5) / 200_000
    expected = risk_kept(chances.max(1), wrong, shares).mean()

    assert area(PREDICTIONS)["degeneration", None] == pytest.approx(expected, abs=1e-4)


def test_many_confidences():
    """With more different confidences than groups the area is still that under the curve."""
    rng = np.random.default_rng(2)
    sure = rng.random(6000)
    wrong = (rng.random(6000) > 0.5 + 0.5 * sure).astype(float)
    shares = (np.arange(200_000) + 0.5) / 200_000
    subject = np.arange(6000) // 3
    found = weighed_area(sure, wrong, subject)(np.ones((1, 2000)))[0]

    assert risk_kept(sure, wrong, shares).mean() == pytest.approx(found, abs=1e-4)


def test_risk_by_hand():
    """The surest answer goes first; of two equally sure ones, half of each is kept."""
    kept = np.array([0.25, 0.5, 0.75, 1.0])
    risk = risk_kept(np.array([0.9, 0.6, 0.6, 0.3]), np.array([0.0, 1.0, 0.0, 1.0]), kept)

    assert pytest.approx(risk.tolist()) == [0, 0.25, 1 / 3, 0.5]


def test_a_confidence_that_tells_nothing():
    """If all answers are equally sure, the area is the share of wrong ones."""
    rows = [
        [0.8 if one == max(row) else 0.2 / (len(row) - 1) for one in row]
        for row in PREDICTIONS.frame["probabilities"]
    ]
    rows = [row if sum(row) < 1.1 else [0.8, 0.2] for row in rows]
    flat = Predictions(
        PREDICTIONS.frame.with_columns(probabilities=pl.Series(rows)).filter(
            pl.col("target") == "narrowing"
        )
    )
    truth, chances = arrays(LABELS, flat, "narrowing")

    assert area(flat)["narrowing", None] == pytest.approx((chances.argmax(1) != truth).mean())


@pytest.mark.parametrize("settings", [{}, {"confidence": "entropy"}, {"loss": "distance"}])
def test_confidence_helps(settings):
    """Where answers are skilled, leaving out the least sure ones lowers the risk."""
    truth, chances = arrays(LABELS, PREDICTIONS, "degeneration")
    off = np.abs(chances.argmax(1) - truth)
    everyone = (off / 4 if settings.get("loss") else off > 0).mean()

    assert 0 < area(PREDICTIONS, **settings)["degeneration", None] < 0.9 * everyone


def test_a_whole_bootstrap():
    """As a metric it has intervals around its value, and counts repeated subjects as such."""
    row = evaluate(
        RUBRIC, LABELS, PREDICTIONS, [Named(use="abstention")], folds=None, bootstrap=150
    ).frame.row(0, named=True)

    assert row["low"] < row["value"] < row["high"]


def test_a_weight_of_two_counts_twice():
    """Weights by subject give what a table in which the subject's rows stand that often gives."""
    exam = join(RUBRIC, LABELS, PREDICTIONS)
    counts = np.random.default_rng(1).integers(0, 4, len(exam.subjects))
    ours = [float(one.weighed(counts[None].astype(float))[0]) for one in measures(Spec(), exam)]
    expected = [
        one.value
        for one in score(
            Named(use="abstention"), *repeated(LABELS, PREDICTIONS, counts.tolist()), RUBRIC
        )
    ]

    assert expected == pytest.approx(ours, abs=1e-9)
