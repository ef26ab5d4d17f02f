"""What each predictor is worth, with intervals, against the floors."""

from pathlib import Path

import polars as pl

from overread.pipeline.stages.folds import load_folds
from overread.pipeline.stages.predict import load_predictions
from overread.pipeline.stages.read import studies_of
from overread.pipeline.step import Stage, Task
from overread.records import Predictions, Scores
from overread.scoring import evaluate, pool_labels, pool_predictions

__all__ = ["STAGE", "load_scores", "out_of_fold"]

SCORES = "scores.parquet"


def make(task: Task) -> None:
    """Score the out-of-fold predictions of all members and ensembles."""
    metrics, rubric, by = task.step.spec
    labels, predictions = studies_of(task).labels, out_of_fold(task)
    if by == "subject":
        labels, predictions = pool_labels(labels), pool_predictions(predictions)
    scores = evaluate(
        rubric,
        labels,
        predictions,
        metrics,
        folds=load_folds(task.inputs["folds"]),
    )
    scores.frame.write_parquet(task.folder / SCORES)


def out_of_fold(task: Task) -> Predictions:
    """Return the out-of-fold predictions of all predictors among the inputs."""
    tables = [
        load_predictions(entry)
        for role, entry in task.inputs.items()
        if role.startswith("predictor.")
    ]
    return Predictions(Predictions.concat(tables).frame.filter(pl.col("role") == "oof"))


def load_scores(entry: Path) -> Scores:
    """Return the scores of a `score` step."""
    return Scores(pl.read_parquet(entry / SCORES))


STAGE = Stage("score", 1, make)
