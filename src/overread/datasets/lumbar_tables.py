"""Grades and submissions of the RSNA 2024 lumbar challenge as tables, to and fro.

Knows no folders and no images.
"""

from pathlib import Path

import numpy as np
import polars as pl

from overread.datasets.dataset import DatasetError, read_table, refuse_repeats
from overread.datasets.lumbar_rows import COLUMNS, GRADES, RUBRIC, WORDS, parse_row_id, row_id
from overread.records import Labels, Predictions

__all__ = ["labels_of", "read_submission", "submission"]


def labels_of(frame: pl.DataFrame, path: Path = Path("train.csv")) -> Labels:
    """Turn the wide table of grades into labels; an empty cell is a label without grade."""
    long = frame.unpivot(
        list(COLUMNS), index="study_id", variable_name="column", value_name="grade"
    )
    wrong = long.filter(pl.col("grade").is_not_null() & ~pl.col("grade").is_in(WORDS))
    if len(wrong):
        study, column, grade = wrong.row(0)
        raise DatasetError(
            f'{path}: found "{grade}" for study {study}, {column}; expected '
            f"{', '.join(WORDS)} or an empty cell; correct it"
        )
    one_hot = dict(zip(WORDS, np.eye(3).tolist(), strict=True))
    target = {column: target for column, (target, _) in COLUMNS.items()}
    site = {column: site for column, (_, site) in COLUMNS.items()}
    return Labels(
        long.select(
            study=pl.col("study_id").cast(pl.String),
            subject=pl.col("study_id").cast(pl.String),
            site=pl.col("column").replace_strict(site),
            target=pl.col("column").replace_strict(target),
            probabilities=pl.Series(
                [one_hot.get(grade) for grade in long["grade"]], dtype=pl.List(pl.Float64)
            ),
            weight=pl.lit(1.0),
            origin=pl.lit("truth"),
        ).with_columns(unit=pl.col("study") + "@" + pl.col("site"))
    )


def submission(predictions: Predictions, *, complete: bool = True) -> pl.DataFrame:
    """Write predictions of one predictor as a submission: 25 rows a study, sorted by row_id.

    Args:
        predictions: of one predictor.
        complete: refuse if one of the 25 rows of a study is missing.

    Returns:
        Columns row_id, normal_mild, moderate, severe.

    Raises:
        DatasetError: if there are several predictors, or rows are missing.
    """
    frame = predictions.frame
    if frame["predictor"].n_unique() > 1:
        names = sorted(frame["predictor"].unique())
        raise DatasetError(f"found predictors {names}, expected one; choose the one to submit")
    names = [row_id(*row) for row in frame.select("study", "target", "site").iter_rows()]
    expected = {
        row_id(study, target, site)
        for study in frame["study"].unique()
        for target, site in COLUMNS.values()
    }
    missing = sorted(expected - set(names))
    if complete and missing:
        raise DatasetError(
            f"found {len(names)} rows, expected {len(expected)}: {missing[0]} and "
            f"{len(missing) - 1} others are not predicted; submit an ensemble of all targets"
        )
    columns = [
        pl.col("probabilities").list.get(place).alias(name) for place, name in enumerate(GRADES)
    ]
    ids = pl.Series("row_id", names, dtype=pl.String)
    return frame.select(ids, *columns).sort("row_id")


def read_submission(frame: pl.DataFrame | Path, predictor: str) -> Predictions:
    """Read a submission; rows are divided by their sum, as the official metric does.

    Args:
        frame: with columns row_id, normal_mild, moderate, severe, or the path of such a CSV.
        predictor: the name to give it.

    Raises:
        DatasetError: for a missing column, a row twice, an unknown row_id, or a row that is not
            three numbers, none negative, with a sum above zero.
    """
    path = frame if isinstance(frame, Path) else Path("submission")
    if isinstance(frame, Path):
        frame = read_table(frame, ("row_id", *GRADES))
    elif missing := {"row_id", *GRADES} - set(frame.columns):
        raise DatasetError(
            f"submission: found no column {sorted(missing)}; expected row_id, {GRADES}"
        )
    _refuse_nameless(frame, path)
    refuse_repeats(frame, ("row_id",), path)
    numbers = frame.select(pl.col(GRADES).cast(pl.Float64, strict=False)).to_numpy()
    sums = numbers.sum(axis=1)
    bad = ~(np.isfinite(sums) & (sums > 0) & (np.nan_to_num(numbers, nan=-1.0) >= 0).all(axis=1))
    if bad.any():
        first = int(bad.argmax())
        raise DatasetError(
            f"{path}: found {int(bad.sum())} rows that are no probabilities, such as "
            f"{frame['row_id'][first]} with {_as_written(frame, first)}; expected three "
            "numbers, none negative, with a sum above 0; correct or delete these rows"
        )
    studies, targets, places = zip(*map(parse_row_id, frame["row_id"]), strict=True)
    units = [RUBRIC.unit_id(*pair) for pair in zip(studies, places, strict=True)]
    table = {"unit": units, "study": studies, "subject": studies, "site": places, "target": targets}
    return Predictions(
        pl.DataFrame(table).with_columns(
            probabilities=pl.Series((numbers / sums[:, None]).tolist(), dtype=pl.List(pl.Float64)),
            fold=pl.lit(None, pl.Int64),
            predictor=pl.lit(predictor),
            role=pl.lit("oof"),
        )
    )


def _refuse_nameless(frame: pl.DataFrame, path: Path) -> None:
    """Refuse a table without rows, or with a row that has no row_id."""
    if frame.is_empty():
        raise DatasetError(
            f"{path}: found no rows below the header, expected a row for each study, condition "
            "and level; export the table again"
        )
    nameless = frame["row_id"].is_null()
    if nameless.any():
        raise DatasetError(
            f"{path}: found {nameless.sum()} rows without row_id, the first is row "
            f"{nameless.arg_max()}, counted from 0; fill in or delete these rows"
        )


def _as_written(frame: pl.DataFrame, place: int) -> str:
    """Return the three cells of a row as the table has them."""
    cells = zip(GRADES, frame.select(GRADES).row(place), strict=True)
    return ", ".join(f"{name} {'(empty)' if cell is None else repr(cell)}" for name, cell in cells)
