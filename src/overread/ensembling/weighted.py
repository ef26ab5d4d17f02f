"""Weighted mean whose weights are searched on the metric itself.

"greedy" is forward selection with replacement (Caruana et al., Ensemble selection from libraries of
models, ICML 2004); "convex" moves towards and away from single members, in steps that get smaller.
How far to trust the search is decided on inner folds: for "greedy" how many picks, for "convex" how
much of the equal weights to keep. Without an inner gain the answer is the plain mean.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread import shelf
from overread.ensembling.conditions import condition_of, conditions
from overread.ensembling.inner import inner_parts
from overread.ensembling.judging import Judge, judge_of
from overread.ensembling.sheets import Book, Parameters, Sheet, Truths
from overread.shelf import Named

__all__ = ["Spec", "apply", "fit"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Weights = Mapping[str, Floats]  # {condition: (members,) that sum to 1}
# A unit that only members of weight 0 answer gets their mean; a gain below this is rounding.
TINY = 1e-12


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        metric: on the shelf of metrics, whose total is made best; none = the weighted log loss,
            averaged over conditions.
        search: "convex" or "greedy".
        picks: most picks of "greedy".
        first_step: of "convex": the share that goes to one member.
        last_step: of "convex": the search ends when no step of this size is better.
        equal: of "convex": shares of the equal weights to choose from.
        inner: inner folds for the choice.
        seed: of the inner folds.
        fewest: a condition with fewer graded units keeps equal weights.
    """

    metric: Named | None = None
    search: Literal["convex", "greedy"] = "convex"
    picks: int = Field(default=12, ge=1)
    first_step: float = Field(default=0.3, gt=0, lt=1)
    last_step: float = Field(default=0.03, gt=0, lt=1)
    equal: tuple[float, ...] = Field(default=(0.0, 0.25, 0.5, 0.75, 1.0), min_length=1)
    inner: int = Field(default=3, ge=2)
    seed: int = 0
    fewest: int = Field(default=20, ge=1)


def fit(spec: Spec, book: Book, truths: Truths) -> Parameters:
    """Return {"weights.<condition>": (members,)}, which sum to 1."""
    total: Floats | float = 0.0
    for part in inner_parts(book, truths, count=spec.inner, seed=spec.seed):
        rest = {target: truths[target][rows] for target, rows in part.rows.items()}
        judge = judge_of(spec.metric, part.rest, rest)
        path = _path(spec, part.book, part.truths)
        total = total + np.array([judge(_blend(part.rest, weights)) for weights in path])
    path = _path(spec, book, truths)
    numbers = np.nan_to_num(np.asarray(total), nan=np.inf)
    chosen = path[int(numbers.argmin())] if np.isfinite(numbers).any() else _equal(book)
    return {f"weights.{name}": weights for name, weights in chosen.items()}


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, grades)}; conditions that were not learnt get the plain mean."""
    del spec
    weights = _equal(book)
    return _blend(book, {name: learnt.get(f"weights.{name}", weights[name]) for name in weights})


def _equal(book: Book) -> dict[str, Floats]:
    share = np.full(len(book.members), 1 / len(book.members))
    return dict.fromkeys(conditions(book), share)


def _blend(book: Book, weights: Weights) -> dict[str, Floats]:
    return {
        sheet.target.name: _mean(sheet, weights[condition_of(book.rubric, sheet.target.name)])
        for sheet in book
    }


def _mean(sheet: Sheet, weights: Floats) -> Floats:
    used = sheet.present * (weights + TINY)[:, None]
    shares = used / used.sum(axis=0)
    return np.asarray(np.einsum("mn,mng->ng", shares, np.nan_to_num(sheet.probabilities)))


def _path(spec: Spec, book: Book, truths: Truths) -> list[dict[str, Floats]]:
    """Return weights to choose from, from the least to the most trust in equal weights.

    Each condition is searched in turn, the others at equal weights.
    """
    judge = judge_of(spec.metric, book, truths)
    paths = {}
    for name, sheets in conditions(book).items():
        graded = sum(int(np.isfinite(truths[one.target.name]).all(axis=1).sum()) for one in sheets)
        answers = np.any([sheet.present.any(axis=1) for sheet in sheets], axis=0)
        equal = answers / answers.sum()
        length = spec.picks if spec.search == "greedy" else len(spec.equal)
        if graded < spec.fewest or answers.sum() < 2:
            paths[name] = [equal] * length
            continue
        one = _OneCondition(book, name, sheets, judge)
        search = _greedy if spec.search == "greedy" else _convex
        paths[name] = search(spec, one, np.flatnonzero(answers), equal)
    return [dict(zip(paths, step, strict=True)) for step in zip(*paths.values(), strict=True)]


class _OneCondition:
    """The judge as a function of the weights of one condition."""

    def __init__(self, book: Book, name: str, sheets: list[Sheet], judge: Judge) -> None:
        self.sheets = sheets
        self.judge = judge
        self.others = _blend(book, _equal(book))
        self.name = name

    def __call__(self, weights: Floats) -> float:
        mine = {sheet.target.name: _mean(sheet, weights) for sheet in self.sheets}
        return self.judge({**self.others, **mine})


def _greedy(spec: Spec, one: _OneCondition, members: Ints, equal: Floats) -> list[Floats]:
    """Return the weights after 1, 2, ... picks of the member that helps most, again and again."""
    counts = np.zeros(len(equal))
    path = []
    for _ in range(spec.picks):
        tries = [counts + np.eye(len(equal))[member] for member in members]
        counts = tries[int(np.argmin([one(each / each.sum()) for each in tries]))]
        path.append(counts / counts.sum())
    return path


def _convex(spec: Spec, one: _OneCondition, members: Ints, equal: Floats) -> list[Floats]:
    """Return the best weights found, mixed with more and more of the equal ones."""
    best, lowest, step = equal, one(equal), spec.first_step
    while step >= spec.last_step:
        better = False
        for member in members:
            for sign in (1.0, -1.0):
                moved = np.maximum(best + sign * step * (np.eye(len(best))[member] - best), 0.0)
                moved = moved / moved.sum()
                value = one(moved)
                if value < lowest - TINY:
                    best, lowest, better = moved, value, True
        step = step if better else step / 2
    return [(1 - share) * best + share * equal for share in spec.equal]
