"""Split subjects into folds that look alike.

Grouped by subject and stratified by grades, as scikit-learn's StratifiedGroupKFold, but with the
histogram of all targets, and independent of the order of rows.
"""

import hashlib
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from overread.records import Folds, Labels, Rubric
from overread.shelf import Spec

__all__ = ["FoldSpec", "make_folds"]


class FoldSpec(Spec):
    """How many folds, and which of the many good splits, or a split that is given.

    Attributes:
        count: of folds; None = as many as the table has.
        seed: of chance among equals; a table needs none.
        table: file below the dataset's folder with a row for each subject or study: the split
            that others used. See `folds_of_table`.
    """

    count: int | None = Field(5, ge=2)
    seed: int = 0
    table: str | None = None

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the fields that are younger than stores."""
        return frozenset({"table"})

    @model_validator(mode="before")
    @classmethod
    def _count_of_table(cls, values: Any) -> Any:
        tabled = isinstance(values, dict) and values.get("table") is not None
        return {"count": None, **values} if tabled else values

    @model_validator(mode="after")
    def _counted(self) -> "FoldSpec":
        if self.count is None and self.table is None:
            raise ValueError("folds without a table need a count")
        return self


def make_folds(labels: Labels, rubric: Rubric, spec: FoldSpec) -> Folds:
    """Give each subject a fold so that sizes and grades are as even as can be.

    Each subject has a histogram: how often each grade of each target (left and right together).
    Subjects with the rarest grades are placed first, each where it makes the folds most alike;
    among equals, chance by `spec.seed` decides. Subjects without labels count too.

    Args:
        labels: of all subjects to split; the order of rows does not matter.
        rubric: of the labels.
        spec: number of folds and seed.

    Raises:
        ValueError: if there are fewer subjects than folds.
    """
    subjects, count = sorted(labels.frame["subject"].unique()), spec.count or 0
    if count < 1:
        raise ValueError("a split needs a number of folds; found none")
    if len(subjects) < count:
        raise ValueError(
            f"{len(subjects)} subjects cannot fill {count} folds; expected at least "
            f"{count}: set folds.count lower or add studies"
        )
    subjects.sort(key=lambda subject: hashlib.sha256(f"{spec.seed}/{subject}".encode()).digest())
    counts = _histograms(labels, rubric, subjects)
    folds = _place(counts, count)
    return Folds(pl.DataFrame({"subject": subjects, "fold": folds}).sort("subject"))


def _histograms(labels: Labels, rubric: Rubric, subjects: list[str]) -> NDArray[np.float64]:
    """Return (subjects, 1 + grades) shares of the whole: a column of ones, then each grade."""
    row = {subject: index for index, subject in enumerate(subjects)}
    columns: dict[tuple[str, int], int] = {}
    for target in rubric.targets:
        first = min(target.name, target.mirror or target.name)
        for grade in range(len(target.grades)):
            columns.setdefault((first, grade), 1 + len(columns))
    counts = np.zeros((len(subjects), 1 + len(columns)))
    counts[:, 0] = 1
    known = labels.known().frame.filter(pl.col("target").is_in(rubric.names))
    likeliest = pl.col("probabilities").list.arg_max().cast(pl.Int64).alias("grade")
    tallied = known.group_by("subject", "target", likeliest).len()
    for subject, name, best, times in tallied.iter_rows():
        first = min(name, rubric.partner(name))
        counts[row[subject], columns[first, best]] += times
    totals = counts.sum(0)
    return np.asarray(counts[:, totals > 0] / totals[totals > 0])


def _place(shares: NDArray[np.float64], count: int) -> list[int]:
    """Place subjects, the most telling first, each in the fold that it fits best.

    A fold is never given more subjects than an even split gives.
    """
    subjects = len(shares)
    order = np.argsort(-shares.max(1) - shares.std(1), kind="stable")
    filled = np.zeros((count, shares.shape[1]))
    sizes = np.zeros(count, np.int64)
    limits = np.full(count, subjects // count)
    spare = subjects % count
    folds = np.zeros(subjects, np.int64)
    for subject in order:
        taken = int((sizes > limits).sum())
        room = sizes < limits + (1 if taken < spare else 0)
        after = filled + shares[subject]
        cost = (after**2 - filled**2).sum(1)
        cost[~room] = np.inf
        fold = int(np.argmin(cost))
        folds[subject] = fold
        filled[fold] = after[fold]
        sizes[fold] += 1
    return [int(fold) for fold in folds]
