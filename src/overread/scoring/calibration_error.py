"""Expected calibration error: how far the confidence in the chosen grade is from being right.

Lower is better; 0 = of the units called with 80 % confidence, 80 % are right. Bins hold equally
many units ("adaptive", Nixon et al. 2019) or are equally wide ("equal", Guo et al. 2017). Equals
the mean gap of scikit-learn's `calibration_curve`, each bin weighing as many units as it holds.

In a bootstrap the borders of the bins stay those of the whole table. The error is never negative,
so that noise pushes replicates up: an interval may lie just above the value.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

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
BETTER = "lower"


class Spec(Slices):
    """Settings.

    Attributes:
        bins: at most; fewer where there are fewer units.
        spacing: "adaptive" (equally many units a bin, ties together) or "equal" (equal width).
    """

    bins: int = Field(default=15, ge=1)
    spacing: Literal["adaptive", "equal"] = "adaptive"
    by_site: bool = False


def measures(spec: Spec, exam: Exam) -> list[Measure]:
    """Return the errors as functions of the weight of each subject."""

    def weigh(one: Graded) -> Weighed:
        return _weigh(one, spec)

    return by_target(exam, weigh, spec)


def _weigh(one: Graded, spec: Spec) -> Weighed:
    confidence = one.predicted.max(axis=1)
    right = (one.predicted.argmax(axis=1) == one.grade).astype(np.float64)
    chosen = np.searchsorted(_borders(confidence, spec), confidence, side="left")
    inside = np.eye(spec.bins)[np.minimum(chosen, spec.bins - 1)]
    gaps = one.per_subject(inside * (right - confidence)[:, None])
    counts = one.per_subject(inside)
    return lambda weights: divide(
        np.abs(weights @ gaps).sum(axis=1), (weights @ counts).sum(axis=1)
    )


def _borders(confidence: Floats, spec: Spec) -> Floats:
    """Inner borders; a bin holds its upper border."""
    inner = np.arange(1, spec.bins) / spec.bins
    if spec.spacing == "equal":
        return inner
    return np.unique(np.quantile(confidence, inner))
