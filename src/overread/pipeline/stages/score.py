"""What each predictor is worth, with intervals, against the floors."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from overread.pipeline.stages.folds import load_folds
from overread.pipeline.stages.predict import load_predictions
from overread.pipeline.stages.read import studies_of
from overread.pipeline.step import Task
from overread.records import Predictions, Scores, Study
from overread.scoring import (
    FLOORS,
    compare,
    evaluate,
    floor_predictions,
    pool_labels,
    pool_predictions,
)

__all__ = ["load_differences", "load_scores", "make", "out_of_fold", "study_weights"]

SCORES, DIFFERENCES = "scores.parquet", "differences.parquet"


def make(task: Task) -> None:
    """Score the out-of-fold predictions of all members and ensembles."""
    metrics, rubric, by, role_weights, pairs = task.step.spec
    dataset, predictions = studies_of(task), out_of_fold(task)
    labels = dataset.labels
    if by == "subject":
        weights = study_weights(dataset.studies, role_weights)
        labels, predictions = pool_labels(labels), pool_predictions(predictions, weights)
    folds = load_folds(task.inputs["folds"])
    scores = evaluate(rubric, labels, predictions, metrics, folds=folds)
    scores.frame.write_parquet(task.folder / SCORES)

    def said(name: str) -> Predictions:
        if name in FLOORS:
            return floor_predictions(name, rubric, labels, folds)
        return Predictions(predictions.frame.filter(pl.col("predictor") == name))

    differences = [
        compare(rubric, labels, (said(first), said(second)), metrics) for first, second in pairs
    ]
    if differences:
        pl.concat([one.frame for one in differences]).write_parquet(task.folder / DIFFERENCES)


def study_weights(studies: Iterable[Study], role_weights: Mapping[str, float]) -> dict[str, float]:
    """Return how much the answers of each study count: as much as its best series."""
    return {
        study.id: max((role_weights.get(role, 1.0) for role in study.roles), default=1.0)
        for study in studies
    }


def out_of_fold(task: Task) -> Predictions:
    """Return the out-of-fold predictions of all predictors among the inputs."""
    tables = [
        load_predictions(entry)
        for role, entry in task.inputs.items()
        if role.startswith("predictor.")
    ]
    return Predictions(Predictions.concat(tables).frame.filter(pl.col("role") == "oof"))


def load_differences(entry: Path) -> Scores:
    """Return the differences of a `score` step; none where no pair was compared."""
    path = entry / DIFFERENCES
    return Scores(pl.read_parquet(path)) if path.is_file() else Scores.empty()


def load_scores(entry: Path) -> Scores:
    """Return the scores of a `score` step."""
    return Scores(pl.read_parquet(entry / SCORES))
