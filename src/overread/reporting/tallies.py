"""Counts behind the drawings: truth beside answer, confusion, reliability, worst answers.

Drawings and pages are not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.records import Labels, Predictions, Rubric, Target
from overread.reporting.run_report import Case

__all__ = [
    "Reliability",
    "Tally",
    "confusion",
    "expected_calibration_error",
    "reliability",
    "tally",
    "worst_cases",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tally:
    """Truth and answers of one target.

    Attributes:
        target: the question.
        units: (n,) ids.
        sites: (n,) or None.
        truth: (n, grades) probabilities.
        answer: (n, grades) probabilities.
    """

    target: Target
    units: tuple[str, ...]
    sites: tuple[str | None, ...]
    truth: Floats
    answer: Floats

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.units)

    @property
    def loss(self) -> Floats:
        """(n,) -sum(truth ln answer), not weighted."""
        safe = np.clip(self.answer, np.finfo(float).eps, 1)
        return np.asarray(-(self.truth * np.log(safe)).sum(1))

    @property
    def weight(self) -> Floats:
        """(n,) weight of the truth by the rubric."""
        return np.asarray(self.truth @ np.array(self.target.weights))

    def at(self, site: str) -> "Tally":
        """Return the units at a site."""
        chosen = [index for index, here in enumerate(self.sites) if here == site]
        return Tally(
            self.target,
            tuple(self.units[index] for index in chosen),
            tuple(self.sites[index] for index in chosen),
            self.truth[chosen],
            self.answer[chosen],
        )


def tally(rubric: Rubric, labels: Labels, predictions: Predictions, predictor: str) -> list[Tally]:
    """Return truth beside answer for each target of the rubric that has both."""
    known = labels.known().frame.filter(pl.col("origin") != "pseudo")
    joined = (
        predictions.frame.filter(pl.col("predictor") == predictor)
        .select("unit", "site", "target", pl.col("probabilities").alias("answer"))
        .join(
            known.select("unit", "target", pl.col("probabilities").alias("truth")),
            on=["unit", "target"],
        )
        .sort("unit")
    )
    found = []
    for target in rubric.targets:
        rows = joined.filter(pl.col("target") == target.name)
        if len(rows):
            truth, answer = (np.array(rows[name].to_list()) for name in ("truth", "answer"))
            found.append(Tally(target, tuple(rows["unit"]), tuple(rows["site"]), truth, answer))
    return found


def confusion(one: Tally) -> NDArray[np.int64]:
    """Return counts (true grade, answered grade)."""
    grades = len(one.target.grades)
    counts = np.zeros((grades, grades), np.int64)
    np.add.at(counts, (one.truth.argmax(1), one.answer.argmax(1)), 1)
    return counts


@dataclass(frozen=True, eq=False)
class Reliability:
    """Said against seen, for one grade.

    Attributes:
        grade: name.
        said: (b,) mean probability in each bin.
        seen: (b,) share of units that have the grade.
        count: (b,) units.
    """

    grade: str
    said: Floats
    seen: Floats
    count: NDArray[np.int64]


def reliability(one: Tally, *, bins: int = 10, least: int = 20) -> list[Reliability]:
    """Return a curve for each grade; bins hold about as many units each, ties together.

    Args:
        one: truth beside answers.
        bins: at most so many.
        least: units that a bin holds, so that shares are not chance; fewer units, fewer bins.
    """
    curves = []
    bins = max(1, min(bins, len(one) // least))
    for index, grade in enumerate(one.target.grades):
        said, seen = one.answer[:, index], one.truth[:, index]
        edges = np.unique(np.quantile(said, np.linspace(0, 1, bins + 1)))
        place = np.clip(np.searchsorted(edges, said, side="right") - 1, 0, max(len(edges) - 2, 0))
        used = np.unique(place)
        curves.append(
            Reliability(
                grade,
                np.array([said[place == number].mean() for number in used]),
                np.array([seen[place == number].mean() for number in used]),
                np.array([(place == number).sum() for number in used]),
            )
        )
    return curves


def expected_calibration_error(curves: Sequence[Reliability]) -> float:
    """Return the mean distance between said and seen over all bins and grades, by units."""
    count = np.concatenate([curve.count for curve in curves])
    gap = np.concatenate([np.abs(curve.said - curve.seen) for curve in curves])
    return float((count * gap).sum() / count.sum())


def worst_cases(
    rubric: Rubric, labels: Labels, predictions: Predictions, predictor: str, *, count: int = 12
) -> list[Case]:
    """Return the answers with the largest weighted loss, without pictures, the worst first."""
    cases = [
        Case(unit, one.target.name, truth.tolist(), answer.tolist(), float(loss))
        for one in tally(rubric, labels, predictions, predictor)
        for unit, truth, answer, loss in zip(
            one.units, one.truth, one.answer, one.loss * one.weight, strict=True
        )
    ]
    return sorted(cases, key=lambda case: (-case.loss, case.unit, case.target))[:count]
