"""A split that others made, read from a table: whose networks may be judged on whom.

How the table came about is not known here.
"""

from pathlib import Path

import polars as pl

from overread.datasets import DatasetError, read_table
from overread.learning.folds import FoldSpec
from overread.records import Folds, Labels

__all__ = ["folds_of_table"]

SUBJECT = ("subject", "patient", "study", "person", "id")


def folds_of_table(path: Path, labels: Labels, spec: FoldSpec) -> Folds:
    """Read who is held out where.

    The first column whose name begins with subject, patient, study, person or id names the subject
    or the study; the first whose name begins with fold holds whole numbers. Folds are numbered from
    0 in the order of these numbers.

    Args:
        path: a .csv (also .gz) or .parquet.
        labels: whose subjects need a fold; others of the table are left out.
        spec: the number of folds, where it is told.

    Raises:
        DatasetError: if a column is missing, a fold is no number from 0, a subject with labels has
            no fold or two, or there are not as many folds as told.
    """
    frame = read_table(path, ())
    who, where = _column(frame, SUBJECT, path), _column(frame, ("fold",), path)
    rows = frame.select(id=who, fold=pl.col(where).cast(pl.Float64, strict=False))
    bad = rows.filter(pl.any_horizontal(pl.all().is_null()) | ~_whole())
    if len(bad):
        raise DatasetError(
            f"{path}: found {len(bad)} rows without a whole number from 0 as {where}, such as that "
            f"of {bad['id'][0]}; correct or delete them"
        )
    known = labels.frame.select("subject", "study").unique()
    split = pl.concat(
        [
            known.join(rows, left_on=by, right_on="id").select("subject", "fold")
            for by in known.columns
        ]
    ).unique()
    _refuse_unsplit(split, labels, path)
    numbers = {fold: number for number, fold in enumerate(sorted(split["fold"].unique()))}
    if spec.count not in (None, len(numbers)):
        raise DatasetError(
            f"{path}: found {len(numbers)} folds, expected folds.count {spec.count}; correct one"
        )
    folds = split.with_columns(pl.col("fold").replace_strict(numbers, return_dtype=pl.Int64))
    return Folds(folds.sort("subject"))


def _whole() -> pl.Expr:
    return (pl.col("fold") >= 0) & (pl.col("fold") == pl.col("fold").floor())


def _column(frame: pl.DataFrame, beginnings: tuple[str, ...], path: Path) -> str:
    for word in beginnings:
        for name in frame.columns:
            if name.lower().startswith(word):
                return name
    raise DatasetError(
        f"{path}: found columns {', '.join(frame.columns)}, expected one called {beginnings[0]}; "
        "rename it"
    )


def _refuse_unsplit(split: pl.DataFrame, labels: Labels, path: Path) -> None:
    """Refuse subjects with labels that have no fold, or more than one."""
    several = split.filter(split["subject"].is_duplicated())
    if len(several):
        raise DatasetError(
            f"{path}: found subject {several['subject'][0]} in several folds; expected each in "
            "one, with all of its studies; correct the table"
        )
    without = sorted(set(labels.known().frame["subject"]) - set(split["subject"]))
    if without:
        raise DatasetError(
            f"{path}: found no fold for {len(without)} subjects with labels, such as {without[0]}; "
            "expected a row for each; complete the table"
        )
