"""Scores on studies that no network has seen, against floors fitted on the training studies."""

from collections.abc import Sequence

import polars as pl

from overread.records import Folds, Labels, Predictions, Rubric, Scores
from overread.scoring import FLOORS, evaluate, floor_predictions
from overread.shelf import Named

__all__ = ["score_new"]


def score_new(
    rubric: Rubric,
    train: Labels,
    new: Labels,
    predictions: Predictions,
    metrics: Sequence[Named],
) -> Scores:
    """Score predictions of new studies, and what class priors of the training labels would score.

    Args:
        rubric: the questions.
        train: labels that networks and priors may know.
        new: labels of the new studies; their subjects are other people.
        predictions: of the new studies.
        metrics: names of the shelf of scores.
    """
    both = Labels(pl.concat([_apart(train, "train"), _apart(new, "new")]))
    subjects = both.frame.select("subject").unique().sort("subject")
    is_new = pl.col("subject").str.starts_with("new:").cast(pl.Int64)
    folds = Folds(subjects.with_columns(is_new.alias("fold")))
    floors = [
        floor_predictions(name, rubric, both, folds).frame.filter(pl.col("fold") == 1)
        for name in FLOORS
    ]
    every = Predictions(pl.concat([predictions.frame, *floors]))
    return evaluate(rubric, Labels(_apart(new, "new")), every, metrics, folds=None, floors=False)


def _apart(labels: Labels, prefix: str) -> pl.DataFrame:
    """Keep subjects of two sets apart, should both call somebody alike."""
    return labels.frame.with_columns((pl.lit(f"{prefix}:") + pl.col("subject")).alias("subject"))
