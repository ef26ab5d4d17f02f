"""New studies are scored against priors that know only the training studies."""

import numpy as np
import polars as pl

from overread.pipeline.held_out import score_new
from overread.records import Labels, Predictions, Rubric, Target
from overread.shelf import Named

RUBRIC = Rubric("r", "study", (Target("grade", ("no", "yes"), (1.0, 1.0), scale="binary"),))


def _labels(prefix: str, grades: list[int]) -> Labels:
    names = [f"{prefix}{index}" for index in range(len(grades))]
    return Labels(
        pl.DataFrame(
            {
                "unit": names,
                "study": names,
                "subject": [f"p{index}" for index in range(len(grades))],
                "site": [None] * len(grades),
                "target": "grade",
                "probabilities": [[1.0 - grade, float(grade)] for grade in grades],
                "weight": 1.0,
                "origin": "truth",
            }
        )
    )


def _predictions(labels: Labels, sure: float) -> Predictions:
    rows = labels.frame.select("unit", "study", "subject", "site", "target").with_columns(
        pl.Series(
            "probabilities",
            [
                [sure * value + (1 - sure) / 2 for value in row]
                for row in labels.frame["probabilities"]
            ],
        ),
        fold=pl.lit(None, pl.Int64),
        predictor=pl.lit("mine"),
        role=pl.lit("new"),
    )
    return Predictions(rows)


def _value(train: Labels, new: Labels, predictor: str) -> float:
    scores = score_new(RUBRIC, train, new, _predictions(new, 0.9), [Named(use="log_loss")])
    return float(scores.frame.filter(pl.col("predictor") == predictor)["value"][0])


def test_floors_are_fitted_on_the_training_labels_alone() -> None:
    """The prior of new labels, which nobody could know, plays no part."""
    train, new = _labels("t", [0, 0, 0, 1]), _labels("n", [1, 1, 1, 1])

    prior = (1 + 0.5) / (4 + 1)  # one more unit is spread evenly over the grades
    assert np.isclose(-np.log(prior), _value(train, new, "floor:prior"))


def test_good_predictions_beat_the_floors() -> None:
    """Subjects that are called alike in both sets are different people."""
    train, new = _labels("t", [0, 0, 1, 1]), _labels("n", [0, 1, 1])

    assert _value(train, new, "mine") < _value(train, new, "floor:prior")
