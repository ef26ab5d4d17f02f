"""Tables to audit: from files that a user names, or from a finished run in the store.

What is suspicious about them is the business of `auditing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from overread.auditing import Picture, Tables, picture_of
from overread.datasets import DatasetError
from overread.datasets.dataset import first_of, read_table
from overread.datasets.lumbar_points import read_points
from overread.ensembling import join
from overread.imaging import DecodeError, Progress, decode
from overread.pipeline.dataset_files import load_dataset
from overread.pipeline.plan import PlanError, graph_of
from overread.pipeline.recipe import Recipe
from overread.pipeline.stages.folds import load_folds
from overread.pipeline.stages.predict import load_predictions
from overread.pipeline.stages.read import dataset_root
from overread.pipeline.step import Context, Task
from overread.pipeline.store import open_store
from overread.records import Folds, Predictions, Stack, Study
from overread.shelf import Named, nearest, settings_of

__all__ = ["AuditFiles", "marked_points", "pictures_of", "tables_of_files", "tables_of_run"]

FOLD = ("fold", "fold_id")
WHOSE = ("subject", "study_id", "study", "patient_id", "row_id")
MARKS = {
    "study_id": "study",
    "series_id": "series",
    "instance_number": "slice",
    "condition": "target",
    "level": "site",
}
WITH_POINTS = "rsna2024_lumbar"


@dataclass(frozen=True)
class AuditFiles:
    """The files of an audit.

    Attributes:
        dataset: whose layout they have.
        predictions: out of fold; of several the mean is audited, and each for copied labels.
        labels: table of grades.
        folds: table with a fold for each subject, study or row; None = unknown.
        points: table of marked points; None = none.
        members: predictors that the predictions were joined from.
        images: folder of images, to look for copies and to show points; None = none.
    """

    dataset: str
    predictions: Sequence[Path]
    labels: Path
    folds: Path | None = None
    points: Path | None = None
    members: Sequence[Path] = field(default_factory=tuple)
    images: Path | None = None


def tables_of_files(files: AuditFiles) -> Tables:
    """Read the tables of an audit.

    Raises:
        DatasetError: if a table is not as it should be; names file and remedy.
        NotOnShelfError: for an unknown dataset; names the nearest.
    """
    module, spec = settings_of("overread.datasets", {"use": files.dataset})
    for path in (files.labels, *files.predictions, *files.members):
        if path.is_dir():
            raise DatasetError(f"{path}: found a folder, expected a table; name its file")
    rubric, labels = module.rubric(spec), module.read_labels(spec, files.labels)
    said = [_predictions(module, spec, path) for path in files.predictions]
    members = [_predictions(module, spec, path) for path in files.members]
    if len(said) > 1:
        nobody = Folds(
            pl.DataFrame({"subject": labels.frame["subject"].unique()}).with_columns(fold=0)
        )
        members = [*said, *members]
        mean = join(Named(use="mean"), said, labels, nobody, rubric, name="mean")
        said = [_with_folds_of(mean, said)]
    return Tables(
        rubric,
        labels,
        said[0] if said else None,
        _folds(module, files.folds) if files.folds else None,
        members,
        marked_points(files.dataset, files.points) if files.points else None,
    )


def tables_of_run(recipe: Recipe, data: Path | None, store: Path | str) -> Tables:
    """Return the tables of a finished run: its labels, folds, final predictor and its members.

    Raises:
        PlanError: if it has not ended.
    """
    graph = graph_of(recipe, data, store)
    shelf = open_store(store)
    if shelf.entry(graph.score) is None:
        raise PlanError(f"recipe {recipe.name} is not finished in {store}; run it first")
    inputs = {role: shelf.bring(step) for role, step in graph.score.inputs.items()}
    root = dataset_root(Task(graph.score, shelf.root, inputs, {}, Context(data=data)))
    dataset = load_dataset(inputs["read"], root)
    named = recipe.ensembles.get(recipe.final)
    of = named.settings.get("of", ()) if named else ()
    said = {name: _out_of_fold(shelf.bring(step)) for name, step in graph.predictors.items()}
    table = first_of(root, [f"train_label_coordinates.csv{end}" for end in ("", ".gz")])
    return Tables(
        graph.rubric,
        dataset.labels,
        said[recipe.final],
        load_folds(inputs["folds"]).frame,
        [said[name] for name in of if name in said],
        marked_points(recipe.dataset.use, table)
        if table and recipe.dataset.use == WITH_POINTS
        else None,
    )


def marked_points(dataset: str, path: Path) -> pl.DataFrame:
    """Read marked points as an audit takes them, with the size of their images where it is told.

    Raises:
        DatasetError: if the dataset has no marked points, or the table is not as it should be.
    """
    if dataset != WITH_POINTS:
        raise DatasetError(f"{path}: points are read for {WITH_POINTS}, found dataset {dataset}")
    frame = read_points(path).rename(MARKS)
    raw = read_table(path, ())
    if {"height", "width"} <= set(raw.columns):
        size = raw.select(rows="height", columns="width").cast(pl.Float64, strict=False)
        frame = frame.hstack(size)
    slices = frame.with_columns(pl.col("slice").cast(pl.Float64, strict=False))
    if slices["slice"].null_count():
        raise DatasetError(f"{path}: found an instance_number that is no number; correct it")
    return slices


def pictures_of(
    dataset: str, images: Path, *, tables: Tables, spec: Any, on_progress: Progress | None = None
) -> list[Picture]:
    """Return what tells copies: the middle image of every stack below a folder.

    An image that cannot be decoded is left out; `overread inspect` says why.
    """
    module, settings = settings_of("overread.datasets", {"use": dataset})
    if not images.is_dir():
        raise DatasetError(f"{images}: found no such folder, expected images; correct the path")
    studies: Sequence[Study] = module.open_studies(settings, images).studies
    people = dict(tables.labels.frame.select("study", "subject").unique().iter_rows())
    found = []
    for done, study in enumerate(studies):
        subject = people.get(study.id, study.subject)
        for series in study.series:
            for number, stack in enumerate(series.stacks):
                name = f"{study.id}/{series.id}/{number}"
                try:
                    image = decode(_middle(stack)).array[0]
                except DecodeError:
                    continue
                found.append(picture_of(image, name, study.id, subject, spec=spec))
        if on_progress is not None:
            on_progress("pictures", done + 1, len(studies))
    return found


def _middle(stack: Stack) -> Stack:
    index = len(stack.frames) // 2
    return Stack((stack.frames[index],), stack.planes.take([index]), stack.role)


def _out_of_fold(entry: Path) -> Predictions:
    frame = load_predictions(entry).frame
    return Predictions(frame.filter(pl.col("role") == "oof"))


def _predictions(module: Any, spec: Any, path: Path) -> Predictions:
    """Read a table of predictions; a column of folds, if there is one, says who made each row."""
    name = path.name.split(".")[0]
    said: Predictions = module.read_submission(spec, path, name)
    raw = read_table(path, ())
    column = next((one for one in FOLD if one in raw.columns), None)
    if column is None or len(raw) != len(said):
        return said
    return Predictions(said.frame.with_columns(fold=_numbers(raw[column], path)))


def _with_folds_of(mean: Predictions, parts: Sequence[Predictions]) -> Predictions:
    """Give a mean the folds that its parts name, where they name one."""
    rows = pl.concat([part.frame.select("unit", "target", "fold") for part in parts]).drop_nulls()
    rows = rows.group_by("unit", "target").agg(pl.col("fold").min())
    frame = mean.frame.drop("fold").join(rows, on=["unit", "target"], how="left")
    return Predictions(frame)


def _folds(module: Any, path: Path) -> pl.DataFrame:
    """Read folds: a row for each subject, study or row of predictions."""
    raw = read_table(path, ())
    column = next((one for one in FOLD if one in raw.columns), None)
    whose = next((one for one in WHOSE if one in raw.columns), None)
    if column is None or whose is None:
        raise DatasetError(
            f"{path}: found the columns {', '.join(raw.columns)}, expected one of "
            f"{', '.join(WHOSE)} and one of {', '.join(FOLD)}; rename them "
            f"({nearest(raw.columns[0], (*WHOSE, *FOLD))})"
        )
    names = raw[whose].to_list()
    if whose == "row_id":
        names = [module.parse_row_id(name)[0] if name else None for name in names]
    subjects = pl.Series("subject", names, dtype=pl.String)
    return pl.DataFrame({"subject": subjects, "fold": _numbers(raw[column], path)})


def _numbers(values: pl.Series, path: Path) -> pl.Series:
    numbers = values.cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
    wrong = values.filter(values.is_not_null() & numbers.is_null())
    if len(wrong):
        raise DatasetError(f'{path}: found the fold "{wrong[0]}", expected a whole number')
    return numbers.alias("fold")
