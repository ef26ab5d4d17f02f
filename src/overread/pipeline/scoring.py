"""Scores of a table of predictions, without a recipe."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overread.datasets import DatasetError
from overread.records import Labels, Predictions, Scores
from overread.scoring import evaluate, unpredicted
from overread.shelf import Named, names_on_shelf, settings_of

__all__ = ["Coverage", "coverage", "score_tables"]

FALLBACK = "log_loss"


@dataclass(frozen=True)
class Coverage:
    """What a score is silent about, because only one of the two tables has it.

    Attributes:
        unpredicted: how many graded rows of the predicted targets have no prediction.
        unlabelled: how many predictions have no row in the labels; a row without grade is one.
        absent: graded targets that are nowhere predicted.
        first_unpredicted, first_unlabelled: "unit, target" of the first of each; None if none.
    """

    unpredicted: int
    unlabelled: int
    absent: tuple[str, ...]
    first_unpredicted: str | None
    first_unlabelled: str | None

    def __str__(self) -> str:
        """Return one line, empty when both tables hold the same rows."""
        said = []
        if self.unpredicted:
            said.append(
                f"{self.unpredicted} labelled rows have no prediction, "
                f"the first is {self.first_unpredicted}"
            )
        if self.absent:
            said.append(f"nothing is predicted of {', '.join(self.absent)}")
        if self.unlabelled:
            said.append(
                f"{self.unlabelled} predictions have no label, the first is {self.first_unlabelled}"
            )
        return f"{'; '.join(said)}; the scores leave all this out" if said else ""


def coverage(labels: Labels, predictions: Predictions) -> Coverage:
    """Count the rows that only one of the two tables has."""
    missing = unpredicted(labels, predictions).frame
    alone = predictions.frame.join(labels.frame, on=("unit", "target"), how="anti")
    graded = labels.known().frame["target"].unique().to_list()
    absent = sorted(set(graded) - set(predictions.frame["target"].to_list()))
    first = [
        f"{frame['unit'][0]}, {frame['target'][0]}" if len(frame) else None
        for frame in (missing, alone)
    ]
    return Coverage(len(missing), len(alone), tuple(absent), *first)


def score_tables(
    dataset: str,
    labels: Path,
    predictions: Path,
    *,
    metrics: list[str],
    bootstrap: int,
    seed: int,
    on_coverage: Callable[[Coverage], None] | None = None,
) -> Scores:
    """Score a submission against the dataset's table of grades.

    Args:
        dataset: its name on the shelf.
        labels: table of grades.
        predictions: table in the layout of a submission; .csv or .parquet.
        metrics: names on the shelf of scores; empty = the dataset's own, else the log loss.
        bootstrap: replicates for the intervals.
        seed: of the replicates.
        on_coverage: told which rows only one of the tables has.

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
    if predictions.is_dir():
        raise DatasetError(f"{predictions}: found a folder, expected a table; name its file")
    truth = module.read_labels(spec, labels)
    said = module.read_submission(spec, predictions, predictions.stem)
    scores = evaluate(
        module.rubric(spec),
        truth,
        said,
        chosen,
        folds=None,
        bootstrap=bootstrap,
        seed=seed,
    )
    if on_coverage is not None:
        on_coverage(coverage(truth, said))
    return scores
