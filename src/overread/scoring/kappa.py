"""Cohen's weighted kappa of the most probable grade and the true grade.

Higher is better; 0 is chance, 1 perfect. Undefined (null) where both are the same single grade.
Equals scikit-learn's `cohen_kappa_score`.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overread import shelf
from overread.records import Labels, Predictions, Rubric
from overread.scoring.exam import (
    Exam,
    Graded,
    Measure,
    Value,
    Weighed,
    by_target,
    divide,
    join,
    values_of,
)

__all__ = ["BETTER", "Spec", "measures", "score"]

Floats = NDArray[np.float64]
BETTER = "higher"


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        weights: how much a confusion costs by the number of grades between: "quadratic", "linear"
            or "none" (every confusion the same; always so for nominal targets).
        by_site: also a value per site.
    """

    weights: Literal["none", "linear", "quadratic"] = "quadratic"
    by_site: bool = True


def score(spec: Spec, labels: Labels, predictions: Predictions, rubric: Rubric) -> list[Value]:
    """Return the mean over targets, each target, and each target at each site."""
    exam = join(rubric, labels, predictions)
    return values_of(measures(spec, exam), len(exam.subjects))


def measures(spec: Spec, exam: Exam) -> list[Measure]:
    """Return the kappas as functions of the weight of each subject."""

    def weigh(one: Graded) -> Weighed:
        return _weigh(one, "none" if one.target.scale == "nominal" else spec.weights)

    return by_target(exam, weigh, by_site=spec.by_site)


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
