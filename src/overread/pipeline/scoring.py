"""Scores of a table of predictions, without a recipe."""

from pathlib import Path
from typing import Any

from overread.records import Scores
from overread.scoring import evaluate
from overread.shelf import Named, names_on_shelf, settings_of

__all__ = ["score_tables"]

FALLBACK = "log_loss"


def score_tables(
    dataset: str,
    labels: Path,
    predictions: Path,
    *,
    metrics: list[str],
    bootstrap: int,
    seed: int,
) -> Scores:
    """Score a submission against the dataset's table of grades.

    Args:
        dataset: its name on the shelf.
        labels: table of grades.
        predictions: table in the layout of a submission; .csv or .parquet.
        metrics: names on the shelf of scores; empty = the dataset's own, else the log loss.
        bootstrap: replicates for the intervals.
        seed: of the replicates.

    Raises:
        DatasetError: if a table is not as it should be.
        NotOnShelfError: for an unknown dataset or metric; names the nearest.
    """
    module: Any
    module, spec = settings_of("overread.datasets", {"use": dataset})
    own = dataset if dataset in names_on_shelf("overread.scoring") else FALLBACK
    chosen = [Named(use=name) for name in metrics or [own]]
    for named in chosen:
        settings_of("overread.scoring", named)
    return evaluate(
        module.rubric(spec),
        module.read_labels(spec, labels),
        module.read_submission(spec, predictions, predictions.stem),
        chosen,
        folds=None,
        bootstrap=bootstrap,
        seed=seed,
    )
