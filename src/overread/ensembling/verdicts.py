"""Which members are to be believed as they are, which to be set right, and which to be dropped.

A member is looked at by itself, condition by condition: a temperature and a shift of each grade are
fitted to its weighted log loss and tried out of fold. A temperature above 1 says over-confident.
Knows no joiners.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize

from overread import shelf
from overread.ensembling.conditions import condition_of, conditions
from overread.ensembling.inner import inner_folds
from overread.ensembling.sheets import Book, Sheet, Truths, lay_out, truths_of
from overread.ensembling.softmax import log_softmax
from overread.records import Folds, Labels, Predictions, Rubric

__all__ = ["Doubt", "judge_members", "member_verdicts", "set_right"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
COLUMNS = {
    "member": pl.String(),
    "condition": pl.String(),
    "n": pl.Int64(),
    "temperature": pl.Float64(),
    "loss_before": pl.Float64(),
    "loss_after": pl.Float64(),
    "loss_prior": pl.Float64(),
    "verdict": pl.String(),
    "reason": pl.String(),
}


class Doubt(shelf.Spec):
    """When a member is calibrated or dropped.

    Attributes:
        weighted: losses with the rubric's weights; else every unit weighs 1.
        gain: a member is calibrated if that makes its loss smaller by this share, out of fold.
        knows: a member is dropped if even its calibrated loss is not smaller by this share than
            that of the prior, which says how common each grade is.
        drop: let members be dropped; else the worst are calibrated.
        high: highest temperature.
        fewest: with fewer graded units a member is kept as it is.
        inner: inner folds.
        seed: of the inner folds.
        floor: probabilities below count as this.
    """

    weighted: bool = True
    gain: float = Field(default=0.01, ge=0)
    knows: float = Field(default=0.02, ge=0)
    drop: bool = True
    high: float = Field(default=20.0, gt=1)
    fewest: int = Field(default=50, ge=1)
    inner: int = Field(default=3, ge=2)
    seed: int = 0
    floor: float = Field(default=1e-6, gt=0, lt=0.5)


def member_verdicts(
    members: Sequence[Predictions],
    labels: Labels,
    folds: Folds,
    rubric: Rubric,
    doubt: Doubt | None = None,
) -> pl.DataFrame:
    """Return a row for each member and condition that it answers.

    Returns:
        Columns member, condition, n (graded units), temperature (fitted to all units), loss_before,
        loss_after (calibrated, out of fold), loss_prior (out of fold), verdict ("kept",
        "calibrated", "dropped"), reason. Losses are null where there are too few units to tell.
    """
    book = lay_out(members, rubric)
    found = _examine(doubt or Doubt(), book, truths_of(book, labels), folds.of())
    return pl.DataFrame([one.row() for one in found], schema=COLUMNS, orient="row")


def judge_members(doubt: Doubt, book: Book, truths: Truths) -> dict[str, Floats]:
    """Return {condition: (members, 1 + grades)} temperature and shifts; NaN = dropped."""
    learnt = {
        name: np.tile(_as_it_is(len(sheets[0].target.grades)), (len(book.members), 1))
        for name, sheets in conditions(book).items()
    }
    fold_of = inner_folds(book, count=doubt.inner, seed=doubt.seed)
    for one in _examine(doubt, book, truths, fold_of):
        row = learnt[one.condition][book.members.index(one.member)]
        if one.verdict != "kept":
            row[:] = one.values if one.verdict == "calibrated" else np.nan
    return learnt


def set_right(book: Book, learnt: Mapping[str, Floats]) -> Book:
    """Return the book with members calibrated, and silent where they are dropped.

    A unit that only dropped members answer keeps them as they are: somebody has to answer.
    """
    sheets = []
    for sheet in book:
        condition = condition_of(book.rubric, sheet.target.name)
        values = learnt.get(condition)
        sheets.append(sheet if values is None else _right(sheet, values))
    return Book(book.rubric, tuple(sheets))


def _right(sheet: Sheet, values: Floats) -> Sheet:
    chances = sheet.probabilities.copy()
    dropped = np.isnan(values[:, 0])
    for member in np.flatnonzero(~dropped):
        if (values[member] != _as_it_is(values.shape[1] - 1)).any():
            logs = np.log(np.maximum(chances[member], Doubt().floor))
            chances[member] = _calibrate(logs, values[member])
    lonely = ~sheet.present[~dropped].any(axis=0)
    chances[np.ix_(dropped, ~lonely)] = np.nan
    return Sheet(sheet.target, sheet.units, sheet.members, chances)


def _as_it_is(grades: int) -> Floats:
    return np.array([1.0] + [0.0] * grades)


def _calibrate(logs: Floats, values: Floats) -> Floats:
    return np.asarray(np.exp(log_softmax(logs / values[0] + values[1:])))


@dataclass(frozen=True, eq=False)
class _Finding:
    """What is found about one member in one condition."""

    member: str
    condition: str
    n: int
    values: Floats
    losses: tuple[float | None, float | None, float | None]
    verdict: str
    reason: str

    def row(self) -> tuple[object, ...]:
        temperature = float(self.values[0])
        told = (self.verdict, self.reason)
        return (self.member, self.condition, self.n, temperature, *self.losses, *told)


def _examine(
    doubt: Doubt, book: Book, truths: Truths, fold_of: Mapping[str, int]
) -> Iterator[_Finding]:
    for name, sheets in conditions(book).items():
        weights = np.array(sheets[0].target.weights) if doubt.weighted else 1.0
        for place, member in enumerate(book.members):
            logs, parts, folds = _answered(doubt, sheets, truths, place, fold_of)
            if len(logs):
                yield _finding(doubt, (member, name), logs, parts * weights, folds)


def _answered(
    doubt: Doubt, sheets: list[Sheet], truths: Truths, place: int, fold_of: Mapping[str, int]
) -> tuple[Floats, Floats, Ints]:
    """Return log probabilities, truth and folds of the graded units that a member answers."""
    logs, parts, folds = [], [], []
    for sheet in sheets:
        truth = truths[sheet.target.name]
        keep = np.isfinite(truth).all(axis=1) & sheet.present[place]
        logs.append(np.log(np.maximum(sheet.probabilities[place, keep], doubt.floor)))
        parts.append(truth[keep])
        own = [fold_of.get(one, -1) for one in sheet.units["subject"].to_numpy()[keep]]
        folds.append(np.array(own, np.int64))
    return np.concatenate(logs), np.concatenate(parts), np.concatenate(folds)


def _finding(
    doubt: Doubt, names: tuple[str, str], logs: Floats, parts: Floats, folds: Ints
) -> _Finding:
    if len(logs) < doubt.fewest:
        reason = f"{len(logs)} graded units, fewer than {doubt.fewest}: too few to tell"
        nothing = (None, None, None)
        return _Finding(*names, len(logs), _as_it_is(logs.shape[1]), nothing, "kept", reason)
    after, prior = np.zeros(logs.shape), np.zeros(logs.shape)
    for fold in np.unique(folds):
        out = folds != fold
        after[~out] = np.log(_calibrate(logs[~out], _fit(doubt, logs[out], parts[out])))
        prior[~out] = np.log((parts[out].sum(axis=0) + 1) / (parts[out].sum() + parts.shape[1]))
    losses = _loss(parts, logs), _loss(parts, after), _loss(parts, prior)
    values = _fit(doubt, logs, parts)
    verdict, reason = _verdict(doubt, float(values[0]), losses)
    return _Finding(*names, len(logs), values, losses, verdict, reason)


def _loss(parts: Floats, logs: Floats) -> float:
    return float(-(parts * logs).sum() / parts.sum())


def _verdict(
    doubt: Doubt, temperature: float, losses: tuple[float, float, float]
) -> tuple[str, str]:
    before, after, prior = losses
    if doubt.drop and min(before, after) > (1 - doubt.knows) * prior:
        return "dropped", f"its loss {after:.4f} is no better than the prior's {prior:.4f}"
    if after < (1 - doubt.gain) * before:
        how = "over-confident" if temperature > 1 else "under-confident or shifted"
        return "calibrated", f"{how}: temperature {temperature:.2f}, {before:.4f} to {after:.4f}"
    return "kept", f"calibration changes {before:.4f} to {after:.4f}, less than {doubt.gain:.0%}"


def _fit(doubt: Doubt, logs: Floats, parts: Floats) -> Floats:
    """Return (1 + grades,) temperature and shifts of smallest loss."""
    parts = parts / parts.sum()
    row = parts.sum(axis=1, keepdims=True)

    def loss(values: Floats) -> tuple[float, Floats]:
        slope, shifts = np.exp(values[0]), values[1:]
        found = log_softmax(logs * slope + shifts)
        error = row * np.exp(found) - parts
        grown = np.concatenate([[slope * (error * logs).sum()], error.sum(axis=0)])
        # The softmax leaves the sum of the shifts open; a little weight closes it.
        return float(-(parts * found).sum() + 5e-4 * (shifts**2).sum()), grown + np.append(
            0.0, 1e-3 * shifts
        )

    limit = float(np.log(doubt.high))
    bounds = [(-limit, limit)] + [(None, None)] * logs.shape[1]
    found = minimize(loss, np.zeros(1 + logs.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds)
    return np.concatenate([[np.exp(-found.x[0])], found.x[1:]])
