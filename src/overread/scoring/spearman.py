"""Spearman's rank correlation of expected grade and true grade.

Higher is better; 0 is chance. For ordered and binary targets; nominal ones are left out. The
expected grade is the mean of the grade numbers under the predicted probabilities. Ties have mid
ranks; undefined (null) where either side is constant. Equals SciPy's `spearmanr`.
"""

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
from overread.scoring.ranks import Ranking, in_chunks

__all__ = ["BETTER", "Spec", "measures"]

Floats = NDArray[np.float64]
BETTER = "higher"
CONSTANT = 1e-20


class Spec(Slices):
    """Settings."""


def measures(spec: Spec, exam: Exam) -> list[Measure]:
    """Return the correlations as functions of the weight of each subject."""
    return by_target(exam, _weigh, spec, scales=("ordered", "binary"))


def _weigh(one: Graded) -> Weighed:
    grades = len(one.target.grades)
    # Rounding must not break ties that the predictor made.
    ranking = Ranking.of(np.round(one.predicted @ np.arange(grades, dtype=np.float64), 12))
    subject, grade = one.subject[ranking.order], one.grade[ranking.order]
    members = [np.flatnonzero(grade == index) for index in range(grades)]

    def correlation(weights: Floats) -> Floats:
        units = weights[:, subject]
        middle = ranking.middle(units)
        middle -= units.sum(axis=1, keepdims=True) / 2
        mass = np.stack([units[:, index].sum(axis=1) for index in members], axis=1)
        true = np.cumsum(mass, axis=1) - mass / 2 - mass.sum(axis=1, keepdims=True) / 2
        weighted = units * middle
        sums = np.stack([weighted[:, index].sum(axis=1) for index in members], axis=1)
        spread = np.einsum("ru,ru->r", weighted, middle) * (mass * true**2).sum(axis=1)
        # Ranks grow with the number of units; below this share a spread is rounding noise.
        spread[spread < CONSTANT * mass.sum(axis=1) ** 6] = 0.0
        return divide((sums * true).sum(axis=1), np.sqrt(spread))

    return in_chunks(correlation, len(one))
