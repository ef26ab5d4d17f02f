"""Cohen's weighted kappa of the most probable grade and the true grade.

Higher is better; 0 is chance, 1 perfect. Undefined (null) where both are the same single grade.
Equals scikit-learn's `cohen_kappa_score`.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overread.scoring.exam import (
    Exam,
    Graded,
    Measure,
    Slices,
    Weighed,
    by_target,
    divide,
)

__all__ = ["BETTER", "Spec", "measures"]

Floats = NDArray[np.float64]
BETTER = "higher"


class Spec(Slices):
    """Settings.

    Attributes:
        weights: how much a confusion costs by the number of grades between: "quadratic", "linear"
            or "none" (every confusion the same; always so for nominal targets).
        decide: the grade that is compared: the most probable, or the "expected" one, rounded (for
            ordered targets), which costs less where confusions are weighted.
    """

    weights: Literal["none", "linear", "quadratic"] = "quadratic"
    decide: Literal["mode", "expected"] = "mode"


def measures(spec: Spec, exam: Exam) -> list[Measure]:
    """Return the kappas as functions of the weight of each subject."""

    def weigh(one: Graded) -> Weighed:
        nominal = one.target.scale == "nominal"
        if spec.decide == "expected" and not nominal:
            one = _rounded(one)
        return _weigh(one, "none" if nominal else spec.weights)

    return by_target(exam, weigh, spec)


def _rounded(one: Graded) -> Graded:
    """Return the predictions as certain of the expected grade, rounded (halves to even)."""
    grades = len(one.target.grades)
    expected = one.predicted @ np.arange(grades)
    return replace(one, predicted=np.eye(grades)[np.rint(expected).astype(np.int64)])


def _costs(grades: int, weights: str) -> Floats:
    apart = np.abs(np.subtract.outer(np.arange(grades), np.arange(grades))).astype(np.float64)
    return np.sign(apart) if weights == "none" else apart ** (1 if weights == "linear" else 2)


def _weigh(one: Graded, weights: str) -> Weighed:
    grades = len(one.target.grades)
    costs = _costs(grades, weights)
    counts = one.confusion()

    def kappa(weight: Floats) -> Floats:
        table = (weight @ counts).reshape(-1, grades, grades)
        total = table.sum(axis=(1, 2))
        chance = table.sum(axis=2)[:, :, None] * table.sum(axis=1)[:, None, :]
        expected = divide((costs * chance).sum(axis=(1, 2)), total)
        return 1 - divide((costs * table).sum(axis=(1, 2)), np.nan_to_num(expected))

    return kappa
