"""Area under the ROC curve of each target.

Higher is better; 0.5 is chance. Ordered and binary targets: last grade against the rest. Nominal
targets: each grade against the rest, averaged (macro). Ties count half. Undefined (null) where
all units have the same answer. Equals scikit-learn's `roc_auc_score`.
"""

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
from overread.scoring.ranks import in_chunks

__all__ = ["BETTER", "Spec", "measures", "score"]

Floats = NDArray[np.float64]
BETTER = "higher"


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        by_site: also a value per site.
    """

    by_site: bool = True


def score(spec: Spec, labels: Labels, predictions: Predictions, rubric: Rubric) -> list[Value]:
    """Return the mean over targets, each target, and each target at each site."""
    exam = join(rubric, labels, predictions)
    return values_of(measures(spec, exam), len(exam.subjects))


def measures(spec: Spec, exam: Exam) -> list[Measure]:
    """Return the areas as functions of the weight of each subject."""
    return by_target(exam, _weigh, by_site=spec.by_site)


def _weigh(one: Graded) -> Weighed:
    last = len(one.target.grades) - 1
    grades = range(last + 1) if one.target.scale == "nominal" else [last]
    areas = [_area(one, grade) for grade in grades]
    return lambda weights: np.asarray(np.mean([area(weights) for area in areas], axis=0))


def _area(one: Graded, grade: int) -> Weighed:
    chance = one.predicted[:, grade]
    order = np.argsort(chance, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(chance[order]) > 0]) if len(one) else order
    subject = one.subject[order]
    positive = (one.grade[order] == grade).astype(np.float64)

    def area(weights: Floats) -> Floats:
        units = weights[:, subject]
        yes = np.add.reduceat(units * positive, starts, axis=1)
        no = np.add.reduceat(units * (1 - positive), starts, axis=1)
        won = (yes * (np.cumsum(no, axis=1) - no / 2)).sum(axis=1)
        return divide(won, yes.sum(axis=1) * no.sum(axis=1))

    return in_chunks(area, len(one))
