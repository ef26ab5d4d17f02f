"""What every joiner shares: members side by side, and fitting that never sees a unit's own fold.

A joiner is a module with `Spec`, `fit` and `apply`; `join` here drives both. Knows no networks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.records import Folds, Labels, Predictions, RecordError, Rubric, Target
from overread.shelf import Named, settings_of

__all__ = [
    "JoinError",
    "Parameters",
    "Sheet",
    "apply_joiner",
    "fit_joiner",
    "join",
    "join_new",
    "lay_out",
    "truth_of",
]

Floats = NDArray[np.float64]
Parameters = Mapping[str, NDArray[np.float64]]
"""What a joiner has learnt: named arrays, so that a bundle keeps it in safetensors."""


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


def join(
    named: Named,
    members: Sequence[Predictions],
    labels: Labels,
    folds: Folds,
    rubric: Rubric,
    *,
    name: str = "joined",
) -> Predictions:
    """Join out-of-fold predictions; what is learnt for a fold is learnt on the other folds.

    A unit's probabilities never depend on labels of its own fold. Members may differ in the units
    and targets that they answer; a unit is joined from the members that answer it.

    Args:
        named: joiner of this shelf, with settings; a key "of" (names of members) is ignored.
        members: one predictor each.
        labels: the truth.
        folds: of every subject with labels.
        rubric: the questions.
        name: of the predictor that results.

    Raises:
        JoinError: if there is no member, a member holds several predictors, or a subject with
            labels has no fold.
    """
    parts = []
    fold_of = folds.of()
    for sheet in lay_out(members, rubric):
        own = _own_folds(sheet, fold_of, labels)
        joined = np.zeros(sheet.probabilities.shape[1:])
        for fold in np.unique(own):
            learnt = fit_joiner(named, [sheet.take(np.flatnonzero(own != fold))], labels)
            inside = np.flatnonzero(own == fold)
            joined[inside] = apply_joiner(named, sheet.take(inside), learnt)
        folds_of_rows = [None if fold < 0 else fold for fold in own.tolist()]
        parts.append(_rows(sheet, joined, folds_of_rows, name, "oof"))
    return Predictions.concat(parts)


def _own_folds(sheet: Sheet, fold_of: Mapping[str, int], labels: Labels) -> NDArray[np.int64]:
    """(n,) fold of each unit; -1 for units of subjects without labels, who need none."""
    subjects = sheet.units["subject"]
    graded = np.isfinite(truth_of(sheet, labels)).all(axis=1)
    strangers = sorted(set(subjects.to_numpy()[graded]) - set(fold_of))
    if strangers:
        raise JoinError(
            f"{len(strangers)} subjects with labels have no fold, such as {strangers[0]}; joiners "
            "are fitted on other folds, so each needs one: split again"
        )
    return np.array([fold_of.get(subject, -1) for subject in subjects], np.int64)


def fit_joiner(named: Named, sheets: Sequence[Sheet], labels: Labels) -> Parameters:
    """Learn on all units of the sheets (a bundle's parameters for new studies)."""
    module, spec = _module(named)
    learnt: dict[str, Floats] = {}
    for sheet in sheets:
        learnt |= module.fit(spec, sheet, truth_of(sheet, labels))
    return learnt


def apply_joiner(named: Named, sheet: Sheet, learnt: Parameters) -> Floats:
    """Return the joined probabilities (n, grades) of one target."""
    module, spec = _module(named)
    joined = np.asarray(module.apply(spec, sheet, learnt), np.float64)
    return np.asarray(joined / joined.sum(axis=1, keepdims=True))


def join_new(
    named: Named, members: Sequence[Predictions], learnt: Parameters, rubric: Rubric, *, name: str
) -> Predictions:
    """Join predictions of new studies with what was learnt before; no labels, no folds."""
    parts = []
    for sheet in lay_out(members, rubric):
        joined = apply_joiner(named, sheet, learnt)
        parts.append(_rows(sheet, joined, [None] * len(joined), name, "new"))
    return Predictions.concat(parts)


def lay_out(members: Sequence[Predictions], rubric: Rubric) -> list[Sheet]:
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
    return [sheet for sheet in sheets if len(sheet.units)]


def _module(named: Named) -> tuple[Any, Any]:
    settings = {key: value for key, value in named.settings.items() if key != "of"}
    return settings_of("overread.ensembling", {"use": named.use, **settings})


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


def truth_of(sheet: Sheet, labels: Labels) -> Floats:
    """Return (n, grades) truth of the units of a sheet; NaN where not graded or only guessed."""
    known = labels.known().frame.filter(
        pl.col("origin") != "pseudo", pl.col("target") == sheet.target.name
    )
    truth = dict(known.select("unit", "probabilities").iter_rows())
    nothing = [np.nan] * len(sheet.target.grades)
    rows = [truth.get(unit, nothing) for unit in sheet.units["unit"]]
    return np.array(rows, np.float64).reshape(-1, len(sheet.target.grades))


def _rows(
    sheet: Sheet, joined: Floats, folds: Sequence[int | None], name: str, role: str
) -> Predictions:
    if not np.isfinite(joined).all():
        raise RecordError(f"{name}: joined probabilities of {sheet.target.name} are not finite")
    return Predictions(
        sheet.units.with_columns(
            probabilities=pl.Series(joined.tolist(), dtype=pl.List(pl.Float64)),
            fold=pl.Series(folds, dtype=pl.Int64),
            predictor=pl.lit(name),
            role=pl.lit(role),
        )
    )
