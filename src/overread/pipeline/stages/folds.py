"""Who is held out where: one split by subject, for every learner of the recipe."""

from pathlib import Path

import polars as pl

from overread.datasets import Dataset
from overread.learning import folds_of_table, make_folds
from overread.pipeline.stages.read import dataset_root, file_below, studies_of
from overread.pipeline.step import Task
from overread.records import Folds

__all__ = ["fold_of_studies", "load_folds", "make"]


def make(task: Task) -> None:
    """Split the subjects of the labels, or read the split that the recipe names."""
    spec, rubric = task.step.spec
    labels = studies_of(task).labels
    if spec.table is None:
        folds = make_folds(labels, rubric, spec)
    else:
        folds = folds_of_table(file_below(dataset_root(task), spec.table), labels, spec)
    folds.frame.write_parquet(task.folder / "folds.parquet")


def load_folds(entry: Path) -> Folds:
    """Return the folds of a `folds` step."""
    return Folds(pl.read_parquet(entry / "folds.parquet"))


def fold_of_studies(entry: Path, dataset: Dataset) -> dict[str, int | None]:
    """Return {study id: fold in which it is held out}; None for subjects without labels."""
    of = load_folds(entry).of()
    return {study.id: of.get(study.subject) for study in dataset.studies}
