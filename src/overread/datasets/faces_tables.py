"""Tables about faces: the challenge's submission, and its table of persons.

A submission has the columns ImageID and ans, a number from 0 to 17; behind them may stand the
probabilities of each grade, so that the table can be scored and joined.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.datasets.dataset import DatasetError, read_table, refuse_repeats
from overread.datasets.faces_labels import CLASS, RUBRIC
from overread.datasets.faces_layout import Photo
from overread.records import Finding, Predictions

__all__ = ["answers", "compare_persons", "read_answers"]

Floats = NDArray[np.float64]
PERSONS = ("id", "gender", "race", "age", "path")
PLACES = (Path("train/train.csv"), Path("train.csv"))


def _column(target: str, grade: str) -> str:
    return f"{target}:{grade}"


def answers(predictions: Predictions, *, probabilities: bool) -> pl.DataFrame:
    """Return the submission of one predictor, in the order of the photographs' names.

    Args:
        predictions: of mask, gender and age of each photograph.
        probabilities: also a column for each grade.

    Raises:
        DatasetError: if there are several predictors, or a photograph lacks a target.
    """
    names = sorted(predictions.frame["predictor"].unique())
    if len(names) > 1:
        raise DatasetError(f"found predictors {names}, expected one; choose the one to write")
    tables = {name: predictions.array(name) for name in CLASS.of}
    units = tables[CLASS.of[0]][0]
    for name, (found, _) in tables.items():
        if found != units:
            missing = sorted(set(units) ^ set(found))
            raise DatasetError(
                f"found {len(missing)} photographs with some answers only, such as {missing[0]}; "
                f"expected {', '.join(CLASS.of)} of each; predict {name} of all of them"
            )
    each = {
        _column(name, grade): tables[name][1][:, place]
        for name in CLASS.of
        for place, grade in enumerate(RUBRIC.target(name).grades)
    }
    codes = _codes([chances.argmax(axis=1) for _, chances in tables.values()])
    table = {"ImageID": units, "ans": codes}
    return pl.DataFrame({**table, **each} if probabilities else table)


def _sizes() -> tuple[int, ...]:
    return tuple(len(RUBRIC.target(name).grades) for name in CLASS.of)


def _codes(grades: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.asarray(np.ravel_multi_index(tuple(grades), _sizes()), np.int64)


def read_answers(table: pl.DataFrame | Path, predictor: str) -> Predictions:
    """Read a submission (a frame, or the path of a CSV); without probabilities ans is certain.

    Raises:
        DatasetError: for a missing column, a photograph twice, an ans that is no class, or numbers
            that are no probabilities.
    """
    path = table if isinstance(table, Path) else Path("submission")
    columns = ("ImageID", "ans")
    frame = (
        read_table(table, columns)
        if isinstance(table, Path)
        else table.with_columns(pl.all().cast(pl.String))
    )
    refuse_repeats(frame, ("ImageID",), path)
    codes = _whole_codes(frame, path)
    places = np.unravel_index(codes, _sizes())
    parts = [
        _predictions(frame, name, _chances(frame, name, place, path), predictor)
        for name, place in zip(CLASS.of, places, strict=True)
    ]
    return Predictions.concat(parts)


def _whole_codes(frame: pl.DataFrame, path: Path) -> NDArray[np.int64]:
    number = pl.col("ans").cast(pl.Int64, strict=False)
    wrong = frame.filter(~number.is_between(0, int(np.prod(_sizes())) - 1).fill_null(value=False))
    if len(wrong):
        raise DatasetError(
            f'{path}: found ans "{wrong["ans"][0]}" of {wrong["ImageID"][0]}, expected a whole '
            f"number from 0 to {np.prod(_sizes()) - 1}; correct it"
        )
    return frame.select(number).to_series().to_numpy()


def _chances(
    frame: pl.DataFrame, name: str, place: NDArray[np.intp], path: Path
) -> NDArray[np.float64]:
    grades = RUBRIC.target(name).grades
    columns = [_column(name, grade) for grade in grades]
    if not set(columns) <= set(frame.columns):
        return np.eye(len(grades))[place]
    values = frame.select(pl.col(columns).cast(pl.Float64, strict=False)).to_numpy()
    fine = np.isfinite(values).all(axis=1) & (values >= 0).all(axis=1) & (values.sum(axis=1) > 0)
    if not fine.all():
        row = frame["ImageID"][int(np.argmin(fine))]
        raise DatasetError(
            f"{path}: found no probabilities of {name} of {row}, expected numbers of 0 or more "
            "with a sum above 0; correct them, or leave the columns out"
        )
    return np.asarray(values / values.sum(axis=1, keepdims=True))


def _predictions(frame: pl.DataFrame, name: str, chances: Floats, predictor: str) -> Predictions:
    return Predictions(
        pl.DataFrame({"unit": frame["ImageID"]}).with_columns(
            study=pl.col("unit"),
            subject=pl.col("unit"),
            site=pl.lit(None, pl.String),
            target=pl.lit(name),
            probabilities=pl.Series(chances.tolist(), dtype=pl.List(pl.Float64)),
            fold=pl.lit(None, pl.Int64),
            predictor=pl.lit(predictor),
            role=pl.lit("oof"),
        )
    )


def compare_persons(folder: Path, photos: Sequence[Photo]) -> tuple[Finding, ...]:
    """Say where the table of persons, if there is one, disagrees with the folders' names.

    Raises:
        DatasetError: if the table lacks a column.
    """
    path = next((folder / place for place in PLACES if (folder / place).is_file()), None)
    if path is None:
        return ()
    rows = set(read_table(path, PERSONS).select("id", "gender", "age").iter_rows())
    people = {(p.person, p.gender, str(p.age)) for p in photos if p.look}
    strange = sorted(people ^ rows, key=str)
    if not strange:
        return ()
    return (
        Finding(
            "table_differs",
            "note",
            f"{path}: found {len(strange)} persons in the table or in the folders alone, such as "
            f"{', '.join(map(str, strange[0]))}; expected the same id, gender and age in both; the "
            "folders' names are believed; correct the table or ignore this",
            str(path),
        ),
    )
