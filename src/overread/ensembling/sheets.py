"""What a joiner reads: the members' answers side by side, a sheet for each target.

Knows no joiners and no folds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.records import Labels, Predictions, Rubric, Target

__all__ = ["Book", "JoinError", "Parameters", "Sheet", "Truths", "lay_out", "truth_of", "truths_of"]

Floats = NDArray[np.float64]
Parameters = Mapping[str, NDArray[np.float64]]
"""What a joiner has learnt: named arrays, so that a bundle keeps it in safetensors."""
Truths = Mapping[str, NDArray[np.float64]]
"""{target: (n, grades) truth of its sheet's units}; NaN rows where not graded."""


class JoinError(ValueError):
    """Predictions that cannot be joined."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """The members' answers to one target, side by side.

    Attributes:
        target: the question.
        units: frame with unit, study, subject, site, target; sorted by unit.
        members: names, in order.
        probabilities: (members, n, grades); NaN rows where a member says nothing of a unit.
    """

    target: Target
    units: pl.DataFrame
    members: tuple[str, ...]
    probabilities: Floats

    @property
    def present(self) -> NDArray[np.bool_]:
        """(members, n) whether the member answered."""
        return np.asarray(np.isfinite(self.probabilities).all(axis=2))

    def take(self, index: NDArray[np.int64]) -> "Sheet":
        """Return these units, in this order."""
        return Sheet(self.target, self.units[index], self.members, self.probabilities[:, index])


@dataclass(frozen=True, eq=False)
class Book:
    """The sheets of all targets that any member answers: a joiner reads and answers all of them.

    Attributes:
        rubric: the questions; tells sites in order and which target mirrors which.
        sheets: in the rubric's order, all with the same members.
    """

    rubric: Rubric
    sheets: tuple[Sheet, ...]

    def __iter__(self) -> Iterator[Sheet]:
        """Go through the sheets."""
        return iter(self.sheets)

    def __len__(self) -> int:
        """Return the number of sheets."""
        return len(self.sheets)

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the members, in order."""
        return self.sheets[0].members if self.sheets else ()

    def sheet(self, target: str) -> Sheet:
        """Return the sheet of a target."""
        return next(sheet for sheet in self.sheets if sheet.target.name == target)

    def subjects(self) -> list[str]:
        """Return the subjects of all sheets, sorted."""
        return sorted(set().union(*(sheet.units["subject"].unique() for sheet in self.sheets)))

    def take(self, rows: Mapping[str, NDArray[np.int64]]) -> "Book":
        """Return these units: {target: index of its sheet's units}."""
        taken = (sheet.take(rows[sheet.target.name]) for sheet in self.sheets)
        return Book(self.rubric, tuple(taken))


def lay_out(members: Sequence[Predictions], rubric: Rubric) -> Book:
    """Put members side by side, a sheet for each target that any of them answers.

    Raises:
        JoinError: if there is no member, or members are not one predictor each with its own name.
    """
    if not members:
        raise JoinError("an ensemble needs at least one member, found none")
    names = [_name_of(member) for member in members]
    if len(set(names)) != len(names):
        raise JoinError(f"members need names of their own, found {names}")
    sheets = [_sheet(target, members, tuple(names)) for target in rubric.targets]
    return Book(rubric, tuple(sheet for sheet in sheets if len(sheet.units)))


def _name_of(member: Predictions) -> str:
    names = member.frame["predictor"].unique().to_list()
    if len(names) != 1:
        raise JoinError(f"a member is one predictor, found {sorted(names) or 'no rows'}")
    return str(names[0])


def _sheet(target: Target, members: Sequence[Predictions], names: tuple[str, ...]) -> Sheet:
    keys = ["unit", "study", "subject", "site", "target"]
    rows = [member.frame.filter(pl.col("target") == target.name) for member in members]
    units = pl.concat([part.select(keys) for part in rows]).unique("unit").sort("unit")
    place = {unit: index for index, unit in enumerate(units["unit"])}
    grades = len(target.grades)
    chances = np.full((len(members), len(units), grades), np.nan)
    for index, part in enumerate(rows):
        if not len(part):
            continue
        if set(part["probabilities"].list.len().unique()) != {grades}:
            raise JoinError(f"{names[index]}: {target.name} needs {grades} probabilities a row")
        at = [place[unit] for unit in part["unit"]]
        chances[index, at] = part["probabilities"].explode().to_numpy().reshape(-1, grades)
    return Sheet(target, units, names, chances)


def truths_of(book: Book, labels: Labels) -> dict[str, Floats]:
    """Return {target: (n, grades)} truth of the units of a book; see `truth_of`."""
    return {sheet.target.name: truth_of(sheet, labels) for sheet in book}


def truth_of(sheet: Sheet, labels: Labels) -> Floats:
    """Return (n, grades) truth of the units of a sheet; NaN where not graded or only guessed."""
    known = labels.known().frame.filter(
        pl.col("origin") != "pseudo", pl.col("target") == sheet.target.name
    )
    truth = dict(known.select("unit", "probabilities").iter_rows())
    nothing = [np.nan] * len(sheet.target.grades)
    rows = [truth.get(unit, nothing) for unit in sheet.units["unit"]]
    return np.array(rows, np.float64).reshape(-1, len(sheet.target.grades))
