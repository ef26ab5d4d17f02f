"""Predictions without a picture: what knowing only how common each grade is would score.

A predictor that does not beat its floors has seen nothing. Each is fitted outside the fold of the
unit that it predicts. Where there are no folds it is fitted on all, a little too well for a floor;
leaving out each subject in turn would answer the other grade wherever grades are balanced.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.records import Folds, Labels, Predictions, Rubric, Target

__all__ = ["FLOORS", "floor_predictions"]

Floats = NDArray[np.float64]
# name -> (a prior per site, weighted by what the rubric says of each grade)
FLOORS: dict[str, tuple[bool, bool]] = {
    "floor:prior": (False, False),
    "floor:prior_per_site": (True, False),
    "floor:weighted_prior_per_site": (True, True),
}


def floor_predictions(
    name: str, rubric: Rubric, labels: Labels, folds: Folds | None
) -> Predictions:
    """Predict every graded unit by the class prior of the other folds, or of all.

    One more unit, spread evenly over the grades, is counted so that no probability is zero.

    Args:
        name: "floor:prior" (per target), "floor:prior_per_site" (per target and site) or
            "floor:weighted_prior_per_site" (the same times the rubric's weights: the best constant
            answer for a weighted log loss; plain "prior" is the best for an unweighted one).
        rubric: targets, grades, weights.
        labels: rows without grade and pseudo-labels are left out.
        folds: None = fit on all. A subject without a fold is answered by the prior of all.
    """
    per_site, weighted = FLOORS[name]
    frame = labels.known().frame.filter(pl.col("origin") != "pseudo")
    held_out = folds.of() if folds is not None else {}
    parts = []
    for target in rubric.targets:
        rows = frame.filter(pl.col("target") == target.name)
        for group in rows.partition_by("site") if per_site else [rows]:
            if len(group):
                priors = _priors(group, target, held_out, weighted=weighted)
                parts.append(_rows(group, priors, name, held_out))
    return Predictions(pl.concat(parts)) if parts else Predictions.empty()


def _priors(
    rows: pl.DataFrame, target: Target, held_out: dict[str, int], *, weighted: bool
) -> Floats:
    grades = len(target.grades)
    truth = rows["probabilities"].explode().to_numpy().reshape(-1, grades)
    folds = pl.Series([held_out.get(one) for one in rows["subject"]], dtype=pl.Int64)
    own = np.zeros_like(truth)
    for fold in folds.drop_nulls().unique():
        same = folds.eq_missing(fold).to_numpy()
        own[same] = truth[same].sum(axis=0)
    counts = truth.sum(axis=0) - own + 1 / grades
    if weighted:
        counts = counts * np.array(target.weights)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True), np.float64)


def _rows(rows: pl.DataFrame, priors: Floats, name: str, held_out: dict[str, int]) -> pl.DataFrame:
    return rows.select("unit", "study", "subject", "site", "target").with_columns(
        probabilities=pl.Series(priors.tolist(), dtype=pl.List(pl.Float64)),
        fold=pl.Series([held_out.get(one) for one in rows["subject"]], dtype=pl.Int64),
        predictor=pl.lit(name),
        role=pl.lit("oof"),
    )
