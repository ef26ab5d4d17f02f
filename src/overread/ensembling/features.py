"""The table that a stacked joiner looks at: members, context and site of each unit, as numbers.

The columns of a target and of its mirror partner mean the same. Knows no truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread import shelf
from overread.ensembling.conditions import one_hot_sites
from overread.ensembling.context import Around, look_around, surroundings_of
from overread.ensembling.mean import mean_of
from overread.ensembling.sheets import Book, Sheet

__all__ = ["Features", "Table", "normalise", "scale_of", "tables_of"]

Floats = NDArray[np.float64]


class Features(shelf.Spec):
    """What is looked at.

    Attributes:
        around: kinds of context.
        members: how each member that answers anything of the target differs from the mean.
        by_site: a column for each site.
        floor: probabilities below count as this.
    """

    around: tuple[Around, ...]
    members: bool
    by_site: bool
    floor: float

    def shifts(self, book: Book) -> int:
        """Return how many of the last columns are shifts: 1, and 1 at each site."""
        return 1 + (len(book.rubric.sites) if self.by_site else 0)


@dataclass(frozen=True, eq=False)
class Table:
    """Units of one target as numbers.

    Attributes:
        logs: (n, grades) log probabilities of the mean.
        features: (n, features); NaN where nothing is said.
    """

    logs: Floats
    features: Floats

    def take(self, keep: NDArray[np.bool_]) -> "Table":
        """Return the units where `keep` is true."""
        return Table(self.logs[keep], self.features[keep])

    @classmethod
    def concat(cls, tables: Sequence["Table"]) -> "Table":
        """Return the units of all tables."""
        return cls(
            np.concatenate([one.logs for one in tables]),
            np.concatenate([one.features for one in tables]),
        )


def tables_of(spec: Features, book: Book) -> dict[str, Table]:
    """Return {target: table}: log odds of the mean, members, context, then the shifts."""
    seen = surroundings_of(book, floor=spec.floor)
    tables = {}
    for sheet in book:
        logs = np.log(np.maximum(mean_of(sheet, {}), spec.floor))
        columns = [logs[:, 1:] - logs[:, :1]]
        if spec.members:
            columns += _members(sheet, columns[0], spec.floor)
        columns.append(look_around(book, sheet, spec.around, seen))
        if spec.by_site:
            columns.append(one_hot_sites(book, sheet))
        columns.append(np.ones((len(logs), 1)))
        tables[sheet.target.name] = Table(logs, np.concatenate(columns, axis=1))
    return tables


def _members(sheet: Sheet, mean: Floats, floor: float) -> list[Floats]:
    """Return how the log odds of each member differ from those of the mean."""
    logs = np.log(np.maximum(sheet.probabilities, floor))
    return list(logs[:, :, 1:] - logs[:, :, :1] - mean)


def scale_of(features: Floats, shifts: int) -> Floats:
    """Return the (2, features) mean and spread of each column; shifts and constants are kept.

    A column that nobody answers is put at 0.
    """
    known = np.isfinite(features)
    count = np.maximum(known.sum(axis=0), 1)
    middle = np.where(known, features, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (features - middle) ** 2, 0.0).sum(axis=0) / count)
    spread[spread < 1e-12] = 1.0
    middle[-shifts:], spread[-shifts:] = 0.0, 1.0
    return np.stack([middle, spread])


def normalise(features: Floats, scale: Floats) -> Floats:
    """Return the features with mean 0 and spread 1; what is missing counts as the mean."""
    return np.asarray(np.nan_to_num((features - scale[0]) / scale[1]))
