"""What predictions are worth: one metric a file, intervals by subject, and floors.

A metric is a module with `Spec`, `measures` and `BETTER` ("lower" or "higher"). Reads
labels and predictions only; knows no dataset and no network.
"""

from overread.scoring.bootstrap import interval, subject_draws, wilson
from overread.scoring.decision_costs import decision_costs
from overread.scoring.evaluate import better, compare, evaluate, metric_name, score, unpredicted
from overread.scoring.exam import Exam, Graded, Measure, Value, join
from overread.scoring.floors import FLOORS, floor_predictions
from overread.scoring.pooling import pool_labels, pool_predictions
from overread.scoring.referral import referral_areas, referral_curves
from overread.scoring.set_coverage import set_coverage

__all__ = [
    "FLOORS",
    "Exam",
    "Graded",
    "Measure",
    "Value",
    "better",
    "compare",
    "decision_costs",
    "evaluate",
    "floor_predictions",
    "interval",
    "join",
    "metric_name",
    "pool_labels",
    "pool_predictions",
    "referral_areas",
    "referral_curves",
    "score",
    "set_coverage",
    "subject_draws",
    "unpredicted",
    "wilson",
]
