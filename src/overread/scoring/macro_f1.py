"""Mean over grades of F1, the harmonic mean of precision and recall.

Higher is better. Grades that are neither true nor predicted are left out. Equals scikit-learn's
`f1_score(average="macro")`.
"""

import numpy as np
from numpy.typing import NDArray

from overread.scoring.exam import Exam, Measure, Slices, by_confusion, by_target, divide

__all__ = ["BETTER", "Spec", "measures"]

Floats = NDArray[np.float64]
BETTER = "higher"


class Spec(Slices):
    """Settings."""


def measures(spec: Spec, exam: Exam) -> list[Measure]:
    """Return the shares as functions of the weight of each subject."""
    return by_target(exam, by_confusion(_share), spec)


def _share(table: Floats) -> Floats:
    both = table.sum(axis=1) + table.sum(axis=2)
    each = divide(2 * np.einsum("rii->ri", table), both)
    present = np.isfinite(each)
    return divide(np.where(present, each, 0.0).sum(axis=1), present.sum(axis=1) * 1.0)
