"""Spearman's rank correlation of expected grade and true grade.

Higher is better; 0 is chance. For ordered and binary targets; nominal ones are left out. The
expected grade is the mean of the grade numbers under the predicted probabilities. Ties have mid
ranks; undefined (null) where either side is constant. Equals SciPy's `spearmanr`.
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
from overread.scoring.ranks import in_chunks, weighted_ranks

__all__ = ["BETTER", "Spec", "measures", "score"]

Floats = NDArray[np.float64]
BETTER = "higher"
CONSTANT = 1e-9  # relative spread of ranks that is rounding noise


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
    """Return the correlations as functions of the weight of each subject."""
    return by_target(exam, _weigh, by_site=spec.by_site, scales=("ordered", "binary"))


def _weigh(one: Graded) -> Weighed:
    expected = one.predicted @ np.arange(len(one.target.grades), dtype=np.float64)
    # Rounding must not break ties that the predictor made.
    predicted = weighted_ranks(np.round(expected, 12))
    true = weighted_ranks(one.grade.astype(np.float64))

    def correlation(weights: Floats) -> Floats:
        units = weights[:, one.subject]
        return _pearson(predicted(units), true(units), units)

    return in_chunks(correlation, len(one))


def _pearson(left: Floats, right: Floats, units: Floats) -> Floats:
    total = units.sum(axis=1, keepdims=True)
    scale = np.where(total > 0, total, 1.0)
    left = (left - (left * units).sum(axis=1, keepdims=True) / scale) / scale
    right = (right - (right * units).sum(axis=1, keepdims=True) / scale) / scale
    spread = np.sqrt((units * left**2).sum(axis=1) * (units * right**2).sum(axis=1))
    spread = np.where(spread > CONSTANT * scale[:, 0], spread, 0.0)
    return divide((units * left * right).sum(axis=1), spread)
