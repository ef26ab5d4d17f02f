"""Area under the ROC curve of each target.

Higher is better; 0.5 is chance. Ordered and binary targets: last grade against the rest. Nominal
targets: each grade against the rest, averaged (macro). Ties count half. Undefined (null) where
all units have the same answer. Equals scikit-learn's `roc_auc_score`.
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


class Spec(Slices):
    """Settings."""


def measures(spec: Spec, exam: Exam) -> list[Measure]:
    """Return the areas as functions of the weight of each subject."""
    return by_target(exam, _weigh, spec)


def _weigh(one: Graded) -> Weighed:
    last = len(one.target.grades) - 1
    grades = range(last + 1) if one.target.scale == "nominal" else [last]
    areas = [_area(one, grade) for grade in grades]
    return lambda weights: np.asarray(np.mean([area(weights) for area in areas], axis=0))


def _area(one: Graded, grade: int) -> Weighed:
    ranking = Ranking.of(one.predicted[:, grade])
    subject = one.subject[ranking.order]
    positive = np.flatnonzero(one.grade[ranking.order] == grade)

    def area(weights: Floats) -> Floats:
        """Mann-Whitney: mid-ranks of the positives, less those among themselves."""
        units = weights[:, subject]
        yes = units[:, positive]
        won = np.einsum("ru,ru->r", ranking.middle(units)[:, positive], yes)
        num_yes = yes.sum(axis=1)
        return divide(won - num_yes**2 / 2, num_yes * (units.sum(axis=1) - num_yes))

    return in_chunks(area, len(one))
