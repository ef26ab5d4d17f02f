"""Weighted log loss of all answers in one pot: one mean over targets and units.

Lower is better. Answers weigh what the rubric says of their true grade, so targets with graver
grades, or more of them, weigh more. Source: the "CV" that public notebooks of the RSNA 2024 lumbar
spine challenge report, which is no estimate of its official score. Equals scikit-learn's `log_loss`
of all rows with sample weights.
"""

import numpy as np

from overread import shelf
from overread.scoring.exam import Exam, Measure, divide
from overread.scoring.log_loss import loss_and_weight

__all__ = ["BETTER", "Spec", "measures"]

BETTER = "lower"


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        weighted: use the rubric's weights; else every answer weighs 1.
    """

    weighted: bool = True


def measures(spec: Spec, exam: Exam) -> list[Measure]:
    """Return the loss as a function of the weight of each subject."""
    if not exam.graded:
        return []
    parts = [loss_and_weight(one, weighted=spec.weighted) for one in exam.graded]
    sums = np.sum(parts, axis=0)
    total = sum(len(one) for one in exam.graded)
    return [Measure(None, None, total, lambda weights: divide(*(weights @ sums).T))]
