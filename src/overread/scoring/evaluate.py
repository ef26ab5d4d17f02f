"""Scores with intervals and floors, and the difference between two predictors.

The bootstrap draws subjects, so that all units of a person stay together, and the same draws
serve every metric and predictor. It is the uncertainty of these predictions on other people, not
of training again.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.records import Folds, Labels, Predictions, RecordError, Rubric, Scores
from overread.scoring.bootstrap import interval, subject_draws
from overread.scoring.exam import Exam, Measure, Value, join, values_of
from overread.scoring.floors import FLOORS, floor_predictions
from overread.shelf import Named, settings_of

__all__ = ["better", "compare", "evaluate", "metric_name", "score", "unpredicted"]

Floats = NDArray[np.float64]


def evaluate(
    rubric: Rubric,
    labels: Labels,
    predictions: Predictions,
    metrics: Sequence[Named],
    *,
    folds: Folds | None,
    bootstrap: int = 1000,
    seed: int = 0,
    floors: bool = True,
) -> Scores:
    """Score every predictor, and the floors on the same units.

    Args:
        rubric: the questions.
        labels: the truth; rows without grade and pseudo-labels are left out.
        predictions: of one or more predictors; each is scored on the units that it predicts.
        metrics: names of this shelf with settings.
        folds: that the floors are fitted by; None = on all that is scored.
        bootstrap: replicates for the 95 % intervals (percentiles); 0 = none.
        seed: of the draws.
        floors: also score the priors, on the units that any predictor predicts.

    Returns:
        A row per predictor, metric, target and slice. An undefined number is null.

    Raises:
        RecordError: if no predicted unit has a grade.
    """
    labels = _predicted(labels, predictions)
    subjects = sorted(labels.frame["subject"].unique())
    if not subjects:
        raise RecordError(_nothing(predictions))
    draws = subject_draws(len(subjects), bootstrap, seed)
    tables = {
        str(name): Predictions(predictions.frame.filter(pl.col("predictor") == name))
        for name in predictions.frame["predictor"].unique(maintain_order=True)
    }
    for name in FLOORS if floors else ():
        if name != "floor:weighted_prior_per_site" or _is_weighted(rubric):
            tables[name] = floor_predictions(name, rubric, labels, folds)
    exams = {name: join(rubric, labels, table, subjects=subjects) for name, table in tables.items()}
    rows = []
    for named in metrics:
        for predictor, exam in exams.items():
            found = _measures(named, exam)
            rows += [_row(predictor, named, one, one.weighed(draws)) for one in found]
    return _scores(rows)


def compare(
    rubric: Rubric,
    labels: Labels,
    predictions: tuple[Predictions, Predictions],
    metrics: Sequence[Named],
    *,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Scores:
    """Score the difference, first minus second, on the units that both predict.

    The replicates are paired: both are scored on the same draws of subjects, so an interval without
    zero tells that one is better on these people.

    Returns:
        Rows whose predictor is "first - second".

    Raises:
        RecordError: if no graded unit is predicted by both.
    """
    first, second = predictions
    labels = _predicted(_predicted(labels, first), second)
    subjects = sorted(labels.frame["subject"].unique())
    if not subjects:
        raise RecordError(_nothing(first) + " by both predictors")
    draws = subject_draws(len(subjects), bootstrap, seed)
    name = " - ".join(str(table.frame["predictor"][0]) for table in predictions)
    exams = [join(rubric, labels, table, subjects=subjects) for table in predictions]
    rows = []
    for named in metrics:
        left, right = (
            {(one.target, one.slice): one for one in _measures(named, exam)} for exam in exams
        )
        for key in [key for key in left if key in right]:
            difference = left[key].weighed(draws) - right[key].weighed(draws)
            rows.append(_row(name, named, left[key], difference))
    return _scores(rows)


def score(named: Named, labels: Labels, predictions: Predictions, rubric: Rubric) -> list[Value]:
    """Return the numbers of one metric for one predictor, each subject counted once.

    Raises:
        RecordError: if there are several predictors.
    """
    exam = join(rubric, labels, predictions)
    return values_of(_measures(named, exam), len(exam.subjects))


def unpredicted(labels: Labels, predictions: Predictions) -> Labels:
    """Return the graded rows that are not predicted although their target is, elsewhere.

    A score says nothing about them; a table that leaves hard units out scores too well.
    """
    known = labels.known().frame.filter(
        pl.col("origin") != "pseudo",
        pl.col("target").is_in(predictions.frame["target"].unique().to_list()),
    )
    return Labels(known.join(predictions.frame, on=("unit", "target"), how="anti"))


def metric_name(named: Named) -> str:
    """Return the name of a metric in `Scores`: settings that are not the default stand behind it.

    Example:
        >>> metric_name(Named.model_validate({"use": "kappa", "weights": "linear"}))
        'kappa[weights=linear]'
    """
    _, spec = settings_of("overread.scoring", named)
    default = type(spec)().identity()
    changed = [f"{key}={value}" for key, value in spec.identity().items() if value != default[key]]
    changed = [one for one in changed if not one.startswith(("by_site=", "within="))]
    return f"{named.use}[{','.join(changed)}]" if changed else named.use


def better(named: Named) -> str:
    """Return "lower" or "higher": in which direction this metric is better."""
    module, _ = settings_of("overread.scoring", named)
    return str(module.BETTER)


def _predicted(labels: Labels, predictions: Predictions) -> Labels:
    known = labels.known().frame.filter(pl.col("origin") != "pseudo")
    return Labels(known.join(predictions.frame, on=("unit", "target"), how="semi"))


def _nothing(predictions: Predictions) -> str:
    return (
        f"no graded unit is predicted: {len(predictions)} predictions, none of them of a unit and "
        f"target that the labels know; check that study ids and sites are written alike"
    )


def _is_weighted(rubric: Rubric) -> bool:
    return any(len(set(target.weights)) > 1 for target in rubric.targets)


def _measures(named: Named, exam: Exam) -> list[Measure]:
    module, spec = settings_of("overread.scoring", named)
    found: list[Measure] = module.measures(spec, exam)
    return found


def _row(predictor: str, named: Named, measure: Measure, values: Floats) -> dict[str, object]:
    value = float(values[0]) if np.isfinite(values[0]) else None
    low, high = interval(values[1:]) if value is not None else (None, None)
    return {
        "predictor": predictor,
        "metric": metric_name(named),
        "target": measure.target,
        "slice": measure.slice,
        "value": value,
        "low": low,
        "high": high,
        "n": measure.n,
    }


def _scores(rows: list[dict[str, object]]) -> Scores:
    return Scores(pl.DataFrame(rows, schema=Scores.schema)) if rows else Scores.empty()
