"""The answers of a member that is a table, as predictions like those of a network."""

import polars as pl

from overread.datasets import DatasetError
from overread.inference import TableSpec, read_member_table
from overread.pipeline.stages.folds import load_folds
from overread.pipeline.stages.predict import save_predictions
from overread.pipeline.stages.read import dataset_root, file_below, studies_of
from overread.pipeline.step import Task
from overread.records import Labels, Predictions
from overread.shelf import Named

__all__ = ["make"]


def make(task: Task) -> None:
    """Read the table; subjects and folds are those of the recipe.

    Raises:
        DatasetError: if the table is not as it should be, or says nothing of any labelled unit.
    """
    spec: TableSpec = task.step.spec
    path = file_below(dataset_root(task), spec.table)
    dataset = Named.model_validate(dict(task.step.inputs["read"].settings["dataset"]))
    said = read_member_table(dataset, spec, path, task.step.settings["predictor"])
    labels = studies_of(task).labels
    if not len(said.frame.join(labels.known().frame, on=("unit", "target"), how="semi")):
        raise DatasetError(
            f"{path}: says nothing of any labelled unit, its first is {said.frame['unit'][0]}; "
            "check that study ids are written as in the labels"
        )
    save_predictions(task.folder, _placed(said, labels, load_folds(task.inputs["folds"]).of()))


def _placed(said: Predictions, labels: Labels, folds: dict[str, int]) -> Predictions:
    """Return the rows under the subjects of the labels, with the folds that hold them out."""
    subjects = dict(labels.frame.select("study", "subject").unique().iter_rows())
    subject = pl.col("study").replace_strict(
        subjects, default=pl.col("subject"), return_dtype=pl.String
    )
    frame = said.frame.with_columns(subject=subject)
    fold = pl.col("subject").replace_strict(folds, default=None, return_dtype=pl.Int64)
    return Predictions(frame.with_columns(fold=fold))
