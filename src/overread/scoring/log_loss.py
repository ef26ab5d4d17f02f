"""Weighted log loss of each target: the mean of -ln(probability of the true grade).

Lower is better. Rows weigh what the rubric says of their true grade. Soft truth is allowed: a row
is then as many parts as it has grades. Equals scikit-learn's `log_loss` with sample weights.
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

__all__ = ["BETTER", "Spec", "loss_and_weight", "measures"]

Floats = NDArray[np.float64]
BETTER = "lower"


class Spec(Slices):
    """Settings.

    Attributes:
        weighted: use the rubric's weights; else every row weighs 1.
    """

    weighted: bool = True


def measures(spec: Spec, exam: Exam) -> list[Measure]:
    """Return the losses as functions of the weight of each subject."""

    def weigh(one: Graded) -> Weighed:
        return _weigh(one, weighted=spec.weighted)

    return by_target(exam, weigh, spec)


def loss_and_weight(one: Graded, *, weighted: bool) -> Floats:
    """Return the sums of the losses, and of the weights, of each subject: (subjects, 2)."""
    epsilon = float(np.finfo(np.float64).eps)
    weight = np.array(one.target.weights) if weighted else np.ones(len(one.target.grades))
    parts = one.truth * weight
    loss = -(parts * np.log(np.clip(one.predicted, epsilon, 1.0))).sum(axis=1)
    return one.per_subject(np.stack([loss, parts.sum(axis=1)], axis=1))


def _weigh(one: Graded, *, weighted: bool) -> Weighed:
    sums = loss_and_weight(one, weighted=weighted)
    return lambda weights: divide(*(weights @ sums).T)
