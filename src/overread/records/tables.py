"""Tables with checked columns: labels, folds, predictions, scores.

Each is a frozen holder of one polars frame. Missing is null. Row order never carries meaning.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.records.study import RecordError

__all__ = ["Folds", "Labels", "Predictions", "Scores"]

SUM_TOLERANCE = 1e-6
UNIT_COLUMNS: dict[str, pl.DataType] = {
    "unit": pl.String(),
    "study": pl.String(),
    "subject": pl.String(),
    "site": pl.String(),
    "target": pl.String(),
    "probabilities": pl.List(pl.Float64()),
}


@dataclass(frozen=True, eq=False)
class Table:
    """A frame with the columns that `schema` tells, and no others."""

    frame: pl.DataFrame
    schema: ClassVar[dict[str, pl.DataType]] = {}
    required: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Check columns, cast them, and refuse nulls where a value is needed."""
        name = type(self).__name__
        missing = set(self.schema) - set(self.frame.columns)
        if missing:
            raise RecordError(f"{name} lacks the columns {sorted(missing)}")
        frame = self.frame.select(pl.col(column).cast(kind) for column, kind in self.schema.items())
        for column in self.required:
            if frame[column].null_count():
                raise RecordError(f"{name}: column {column} has {frame[column].null_count()} nulls")
        object.__setattr__(self, "frame", frame)
        self.check()

    def check(self) -> None:
        """Check what columns alone do not say."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.frame)

    @classmethod
    def empty(cls) -> Self:
        """Return the table without rows."""
        return cls(pl.DataFrame(schema=cls.schema))

    @classmethod
    def concat(cls, tables: "list[Self]") -> Self:
        """Return the rows of all tables."""
        return cls(pl.concat([table.frame for table in tables])) if tables else cls.empty()


def _check_probabilities(frame: pl.DataFrame, name: str) -> None:
    values = frame["probabilities"].drop_nulls()
    if not len(values):
        return
    flat = values.explode()
    if flat.null_count() or not flat.is_finite().all() or (flat < 0).any():
        raise RecordError(f"{name}: probabilities must be finite and not negative")
    sums = values.list.sum().to_numpy()
    worst = float(np.abs(sums - 1).max())
    if worst > SUM_TOLERANCE:
        raise RecordError(f"{name}: probabilities must sum to 1; the worst row is off by {worst}")


def _check_unique(frame: pl.DataFrame, columns: tuple[str, ...], name: str) -> None:
    repeated = frame.filter(frame.select(columns).is_duplicated())
    if len(repeated):
        raise RecordError(f"{name}: rows repeat, such as {repeated.select(columns).row(0)}")


class Labels(Table):
    """What is known of units: one row a unit and target, soft labels allowed.

    Columns: unit, study, subject, site (null without sites), target, probabilities (null = not
    graded), weight (of the row in losses), origin ("truth", "pseudo").
    """

    schema: ClassVar[dict[str, pl.DataType]] = {
        **UNIT_COLUMNS,
        "weight": pl.Float64(),
        "origin": pl.String(),
    }
    required: ClassVar[tuple[str, ...]] = ("unit", "study", "subject", "target", "weight", "origin")

    def check(self) -> None:
        """Rows are unique; probabilities sum to 1."""
        _check_unique(self.frame, ("unit", "target"), "Labels")
        _check_probabilities(self.frame, "Labels")

    def known(self) -> "Labels":
        """Return the rows that are graded."""
        return Labels(self.frame.filter(pl.col("probabilities").is_not_null()))


class Folds(Table):
    """Which fold each subject is held out in. Columns: subject, fold (from 0)."""

    schema: ClassVar[dict[str, pl.DataType]] = {"subject": pl.String(), "fold": pl.Int64()}
    required: ClassVar[tuple[str, ...]] = ("subject", "fold")

    def check(self) -> None:
        """No subject in two folds."""
        _check_unique(self.frame, ("subject",), "Folds")

    @property
    def count(self) -> int:
        """Number of folds."""
        return self.frame["fold"].n_unique()

    def of(self) -> dict[str, int]:
        """Return {subject: fold}."""
        return dict(zip(self.frame["subject"], self.frame["fold"], strict=True))


class Predictions(Table):
    """What a predictor says of units: one row a unit and target.

    Columns: unit, study, subject, site, target, probabilities, fold (whose network made it; null
    when networks of all folds were joined), predictor, role ("oof" or "new").
    """

    schema: ClassVar[dict[str, pl.DataType]] = {
        **UNIT_COLUMNS,
        "fold": pl.Int64(),
        "predictor": pl.String(),
        "role": pl.String(),
    }
    required: ClassVar[tuple[str, ...]] = (
        "unit",
        "study",
        "subject",
        "target",
        "probabilities",
        "predictor",
        "role",
    )

    def check(self) -> None:
        """Rows are unique for a predictor; probabilities sum to 1; roles are known."""
        _check_unique(self.frame, ("unit", "target", "predictor"), "Predictions")
        _check_probabilities(self.frame, "Predictions")
        unknown = set(self.frame["role"]) - {"oof", "new"}
        if unknown:
            raise RecordError(f"Predictions: roles are oof and new, found {sorted(unknown)}")

    def array(self, target: str) -> tuple[list[str], NDArray[np.float64]]:
        """Return the units and the (n, grades) probabilities of one target, sorted by unit."""
        rows = self.frame.filter(pl.col("target") == target).sort("unit")
        values = np.array(rows["probabilities"].to_list(), np.float64)
        return rows["unit"].to_list(), values


class Scores(Table):
    """What predictions are worth.

    Columns: predictor ("floor:prior", "floor:prior_per_site" for the floors), metric, target (null
    = all), slice (null = all; else such as a site), value, low, high (interval bounds, null where
    none), n (units or studies).
    """

    schema: ClassVar[dict[str, pl.DataType]] = {
        "predictor": pl.String(),
        "metric": pl.String(),
        "target": pl.String(),
        "slice": pl.String(),
        "value": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "n": pl.Int64(),
    }
    required: ClassVar[tuple[str, ...]] = ("predictor", "metric", "n")
