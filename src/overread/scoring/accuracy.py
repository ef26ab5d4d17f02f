"""Share of units whose most probable grade is the true one.

Higher is better. Equals scikit-learn's `accuracy_score`. Says little where one grade is common:
read it beside the floors.
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
    right = np.einsum("rii->r", table)
    return divide(right, table.sum(axis=(1, 2)))
