"""Predictions as a plain table for datasets without a format of their own: one row a grade.

Columns: study, site (empty without sites), target, grade, probability.
"""

from pathlib import Path

import polars as pl

from overread.datasets.dataset import DatasetError, read_table, refuse_repeats
from overread.records import Predictions, Rubric
from overread.shelf import nearest

__all__ = ["COLUMNS", "read_long", "write_long"]

COLUMNS = ("study", "site", "target", "grade", "probability")
KEY = ["study", "site", "target"]


def write_long(rubric: Rubric, predictions: Predictions) -> pl.DataFrame:
    """Return the long table of one predictor, in the order of studies, sites and targets.

    Raises:
        DatasetError: if there are several predictors.
    """
    frame = predictions.frame
    if frame["predictor"].n_unique() > 1:
        names = sorted(frame["predictor"].unique())
        raise DatasetError(f"found predictors {names}, expected one; choose the one to write")
    grades = {target.name: list(target.grades) for target in rubric.targets}
    return (
        frame.with_columns(
            grade=pl.col("target").replace_strict(grades, return_dtype=pl.List(pl.String))
        )
        .explode("grade", "probabilities")
        .rename({"probabilities": "probability"})
        .select(COLUMNS)
        .sort(KEY, maintain_order=True)
    )


def read_long(rubric: Rubric, table: pl.DataFrame | Path, predictor: str) -> Predictions:
    """Read a long table (a frame, or the path of a CSV); rows of a unit are divided by their sum.

    Raises:
        DatasetError: for a missing column, an unknown site, target or grade, a row twice, a grade
            that is missing, or a number that is no probability.
    """
    path = table if isinstance(table, Path) else Path("predictions")
    frame = read_table(table, COLUMNS) if isinstance(table, Path) else table.select(COLUMNS)
    refuse_repeats(frame, COLUMNS[:-1], path)
    frame = frame.with_columns(pl.col("probability").cast(pl.Float64, strict=False))
    fine = pl.col("probability").is_finite() & (pl.col("probability") >= 0)
    bad = frame.filter(~fine.fill_null(value=False))
    if len(bad):
        raise DatasetError(
            f"{path}: found {len(bad)} rows without a probability, such as {bad.row(0)[:-1]}; "
            "expected a number of 0 or more; correct them"
        )
    parts = [
        _target(rubric, str(name), rows, path)
        for (name,), rows in frame.group_by("target", maintain_order=True)
    ]
    return _predictions(rubric, parts, path, predictor)


def _target(rubric: Rubric, name: str, rows: pl.DataFrame, path: Path) -> pl.DataFrame:
    if name not in rubric.names:
        raise DatasetError(
            f'{path}: found target "{name}", expected one of the rubric; '
            f"correct it ({nearest(name, rubric.names)})"
        )
    grades = rubric.target(name).grades
    placed = pl.col("site").is_in(rubric.sites) if rubric.sites else pl.col("site").is_null()
    fine = pl.col("grade").is_in(grades) & placed
    wrong = rows.filter(~fine.fill_null(value=False))
    if len(wrong):
        raise DatasetError(
            f"{path}: found {wrong.row(0)[:-1]}, expected a grade among {', '.join(grades)} at a "
            f"site among {', '.join(rubric.sites) or 'none'}; correct it"
        )
    order = {grade: index for index, grade in enumerate(grades)}
    units = (
        rows.sort(pl.col("grade").replace_strict(order))
        .group_by(KEY, maintain_order=True)
        .agg(probabilities="probability")
    )
    short = units.filter(pl.col("probabilities").list.len() != len(grades))
    if len(short):
        raise DatasetError(
            f"{path}: found {len(short)} units without all grades of {name}, such as "
            f"{short.row(0)[:-1]}; expected {len(grades)} rows each; add the missing ones"
        )
    return units


def _predictions(
    rubric: Rubric, parts: list[pl.DataFrame], path: Path, predictor: str
) -> Predictions:
    if not parts:
        return Predictions.empty()
    frame = pl.concat(parts)
    nothing = frame.filter(pl.col("probabilities").list.sum() <= 0)
    if len(nothing):
        raise DatasetError(
            f"{path}: found {len(nothing)} units whose probabilities are all 0, such as "
            f"{nothing.row(0)[:-1]}; expected a sum above 0; correct or delete them"
        )
    units = [rubric.unit_id(*pair) for pair in frame.select("study", "site").iter_rows()]
    return Predictions(
        frame.with_columns(
            unit=pl.Series(units, dtype=pl.String),
            subject=pl.col("study"),
            probabilities=pl.col("probabilities").list.eval(pl.element() / pl.element().sum()),
            fold=pl.lit(None, pl.Int64),
            predictor=pl.lit(predictor),
            role=pl.lit("oof"),
        )
    )
