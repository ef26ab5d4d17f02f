"""Mean over true grades of the share that was recognised.

Higher is better; chance is 1 / number of grades. Grades that nobody has are left out. Equals
scikit-learn's `balanced_accuracy_score`.
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
    recall = divide(np.einsum("rii->ri", table), table.sum(axis=2))
    present = np.isfinite(recall)
    return divide(np.where(present, recall, 0.0).sum(axis=1), present.sum(axis=1) * 1.0)
