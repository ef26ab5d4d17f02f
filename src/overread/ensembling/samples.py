"""The graded units of a condition, both sides together, as the numbers that stacks learn from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from overread.ensembling.conditions import conditions, graded_parts
from overread.ensembling.features import Features, Table, normalise, tables_of
from overread.ensembling.inner import inner_folds
from overread.ensembling.sheets import Book, Sheet, Truths

__all__ = ["Sample", "cuts", "samples_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample(Table):
    """Graded units of one condition.

    Attributes:
        parts: (n, grades) truth times weights; the row of a one-hot truth has one entry.
        study: (n,) index of the study.
        fold: (n,) inner fold of the subject.
    """

    parts: Floats
    study: NDArray[np.int64]
    fold: NDArray[np.int64]

    def take(self, keep: NDArray[np.bool_]) -> "Sample":
        """Return the units where `keep` is true."""
        return Sample(*(one[keep] for one in vars(self).values()))

    def normalised(self, scale: Floats) -> "Sample":
        """Return the units with their features on this scale."""
        return replace(self, features=normalise(self.features, scale))


def samples_of(
    looked_at: Features, book: Book, truths: Truths, *, weighted: bool, inner: int, seed: int
) -> dict[str, Sample]:
    """Return {condition: its graded units}; conditions without any are left out.

    Args:
        looked_at: what the features are.
        book: answers of the members.
        truths: of its targets.
        weighted: with the rubric's weights; else every unit weighs 1.
        inner: number of inner folds.
        seed: of the inner folds.
    """
    tables = tables_of(looked_at, book)
    fold_of = inner_folds(book, count=inner, seed=seed)
    study_of = {name: index for index, name in enumerate(_studies(book))}
    found = {}
    for name, sheets in conditions(book).items():
        graded, parts = graded_parts(sheets, truths, weighted=weighted)
        if len(parts):
            pairs = list(zip(sheets, graded, strict=True))
            table = Table.concat([tables[sheet.target.name].take(keep) for sheet, keep in pairs])
            study = _numbers(pairs, "study", study_of)
            fold = _numbers(pairs, "subject", fold_of)
            found[name] = Sample(table.logs, table.features, parts, study, fold)
    return found


def cuts(sample: Sample) -> Iterator[tuple[Sample, Sample]]:
    """Return what is outside and what is inside of each inner fold, where there are both."""
    for fold in np.unique(sample.fold):
        inside = sample.fold == fold
        if not inside.all():
            yield sample.take(~inside), sample.take(inside)


def _studies(book: Book) -> list[str]:
    return sorted(set().union(*(sheet.units["study"].to_list() for sheet in book)))


def _numbers(
    pairs: list[tuple[Sheet, NDArray[np.bool_]]], column: str, number: Mapping[str, int]
) -> NDArray[np.int64]:
    names = np.concatenate([sheet.units[column].to_numpy()[keep] for sheet, keep in pairs])
    return np.array([number[name] for name in names], np.int64)
