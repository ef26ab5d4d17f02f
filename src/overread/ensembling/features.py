"""The table that a stacked joiner looks at: members, context and site of each unit, as numbers.

The columns of a target and of its mirror partner mean the same. Knows no truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread import shelf
from overread.ensembling.conditions import one_hot_sites
from overread.ensembling.context import Around, look_around, surroundings_of
from overread.ensembling.mean import mean_of
from overread.ensembling.sheets import Book, Sheet

__all__ = ["Features", "Table", "Weakness", "normalise", "scale_of", "tables_of"]

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


class Weakness(shelf.Spec):
    """How much more strongly than context a kind of column is drawn to 0.

    The mean of the members is nearly all that they say: it may be scaled and shifted freely, while
    single members have to earn their say.

    Attributes:
        own: the log odds of the mean, and the shift of all units.
        members: how each member differs from the mean.
    """

    own: float = Field(default=0.1, gt=0)
    members: float = Field(default=10.0, gt=0)


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


def scale_of(sample: Table, looked_at: Features, book: Book, weakness: Weakness) -> Floats:
    """Return the (2, features) mean and spread of each column.

    Sites and shift keep their mean of 0 and spread of 1. A column that nobody answers is put at 0.
    A spread times the root of a factor is a penalty times that factor.
    """
    features, odds = sample.features, sample.logs.shape[1] - 1
    known = np.isfinite(features)
    count = np.maximum(known.sum(axis=0), 1)
    middle = np.where(known, features, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (features - middle) ** 2, 0.0).sum(axis=0) / count)
    spread[spread < 1e-12] = 1.0
    shifts = 1 + (len(book.rubric.sites) if looked_at.by_site else 0)
    middle[-shifts:], spread[-shifts:] = 0.0, 1.0
    spread[[*range(odds), -1]] *= np.sqrt(weakness.own)
    if looked_at.members:
        spread[odds : odds * (1 + len(book.members))] *= np.sqrt(weakness.members)
    return np.stack([middle, spread])


def normalise(features: Floats, scale: Floats) -> Floats:
    """Return the features on a scale; what is missing counts as the mean."""
    return np.asarray(np.nan_to_num((features - scale[0]) / scale[1]))
