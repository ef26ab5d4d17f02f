"""Counts behind the drawings, against counting by hand."""

import numpy as np
import polars as pl
import pytest
from graded import RUBRIC, SITES, predictions

from overread.records import Labels, Predictions
from overread.reporting.tallies import confusion, reliability, tally, worst_cases


def labels_of(rows):
    """Return labels from (unit, target, probabilities or None, origin)."""
    return Labels(
        pl.DataFrame(
            [
                {
                    "unit": unit,
                    "study": unit.partition("@")[0],
                    "subject": "p",
                    "site": unit.partition("@")[2] or None,
                    "target": target,
                    "probabilities": probabilities,
                    "weight": 1.0,
                    "origin": origin,
                }
                for unit, target, probabilities, origin in rows
            ],
            schema=dict(Labels.schema),
        )
    )


NORMAL, MODERATE, SEVERE = np.eye(3).tolist()
ANSWERS = predictions("7", seed=4)
LABELS = labels_of(
    [
        ("7@L4/L5", "canal", SEVERE, "truth"),
        ("7@L5/S1", "canal", None, "truth"),
        ("7@L4/L5", "left_foramen", MODERATE, "pseudo"),
        ("7@L5/S1", "right_foramen", NORMAL, "truth"),
        ("8@L4/L5", "canal", NORMAL, "truth"),
    ]
)


def test_only_graded_and_answered_units_count():
    """Units without a grade, guessed ones and those without an answer are left out."""
    found = {one.target.name: one for one in tally(RUBRIC, LABELS, ANSWERS, "final")}

    assert set(found) == {"canal", "right_foramen"}
    assert found["canal"].units == ("7@L4/L5",)
    assert found["right_foramen"].sites == ("L5/S1",)


def test_other_predictors_do_not_count():
    """Only the predictor that is asked for is tallied."""
    assert tally(RUBRIC, LABELS, ANSWERS, "someone else") == []


def test_loss_and_weight_are_those_of_the_rubric():
    """The loss is -ln of what was said of the truth; severe weighs four."""
    (canal,) = [
        one for one in tally(RUBRIC, LABELS, ANSWERS, "final") if one.target.name == "canal"
    ]
    said = dict(zip(*ANSWERS.array("canal"), strict=True))["7@L4/L5"][2]

    assert canal.loss[0] == pytest.approx(-np.log(said))
    assert canal.weight.tolist() == [4.0]


def test_certain_and_wrong_is_finite():
    """An answer of probability zero for the truth costs much, but not infinity."""
    frame = ANSWERS.frame.with_columns(
        pl.Series("probabilities", [NORMAL] * len(ANSWERS), dtype=pl.List(pl.Float64))
    )

    (worst, *_) = worst_cases(RUBRIC, LABELS, Predictions(frame), "final")

    assert worst.unit == "7@L4/L5"
    assert 100 < worst.loss < 200


def test_sites_part_the_units():
    """The units of all sites together are all units."""
    both = labels_of([(f"7@{site}", "canal", NORMAL, "truth") for site in SITES])
    (canal,) = tally(RUBRIC, both, ANSWERS, "final")

    assert [len(canal.at(site)) for site in SITES] == [1, 1]
    assert len(canal.at("elsewhere")) == 0


def test_bins_hold_all_units_once():
    """Every unit is in exactly one bin of each grade's curve."""
    many = Predictions.concat([predictions(str(n), seed=n) for n in range(20)])
    truth = labels_of(
        [(unit, "canal", MODERATE, "truth") for unit in many.frame["unit"].unique().sort()]
    )
    (canal,) = tally(RUBRIC, truth, many, "final")

    for curve in reliability(canal, bins=5, least=4):
        assert int(curve.count.sum()) == len(canal) == 40
        assert len(curve.said) <= 5
        assert np.all(np.diff(curve.said) > 0)


def test_soft_truth_counts_for_its_best_grade():
    """A label that is shared between grades stands in the row of the likeliest."""
    soft = labels_of([("7@L4/L5", "canal", [0.2, 0.7, 0.1], "truth")])
    (canal,) = tally(RUBRIC, soft, ANSWERS, "final")

    assert confusion(canal).sum(1).tolist() == [0, 1, 0]


@pytest.mark.parametrize("count", [0, 1, 99])
def test_as_many_cases_as_asked_for(count):
    """Never more cases than there are graded answers."""
    assert len(worst_cases(RUBRIC, LABELS, ANSWERS, "final", count=count)) == min(count, 2)
