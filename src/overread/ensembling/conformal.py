"""Sets of grades that hold the true one as often as was asked for, whichever grade it is.

Split conformal prediction with a threshold for each grade of each condition ("Mondrian"; Vovk et
al. 2005): of the units whose true grade is severe, nine of ten sets hold "severe". One threshold
for all grades would buy that promise with the common grade alone. Out of fold, the sets of a fold
rest on the labels of the other folds only (cross-conformal; Vovk 2015, Barber et al. 2021).

The promise is about units of studies like those with labels, on average over studies: it knows
nothing of another scanner, and the units of one study are right or wrong together.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from overread import shelf
from overread.ensembling.conformal_scores import SCORES, without_gaps
from overread.records import (
    Folds,
    GradeSets,
    Labels,
    Predictions,
    RecordError,
    Rubric,
    Target,
    conditions,
)
from overread.scoring import join

__all__ = [
    "ConformalSpec",
    "SetThresholds",
    "apply_sets",
    "fit_sets",
    "held_out_rows",
    "sets_out_of_fold",
]

Floats = NDArray[np.float64]
SetThresholds = Mapping[str, Floats]
"""{"threshold.CONDITION": (1 or 1 + sites, grades)}: the first row is of all sites together. Plain
arrays, so that a bundle keeps them in safetensors; infinite where labels are too few."""


class ConformalSpec(shelf.Spec):
    """Settings.

    Attributes:
        coverage: how often a set shall hold the true grade, for each grade.
        ordered: score of ordered and binary targets; sets of ordered grades never have gaps.
            "cumulative" gives the smallest ones on the lumbar data, close to those of "plain".
        nominal: score of nominal targets.
        per: "condition" pools sites and sides; "site" learns thresholds at each site.
        fewest: with fewer units of a grade at a site, the threshold of all sites is used there.
        keep_answer: the most probable grade is always in the set. Sets are then larger, and hold
            the commonest grade more often than was asked for.
    """

    coverage: float = Field(default=0.9, gt=0, lt=1)
    ordered: Literal["cumulative", "ordinal", "adaptive", "plain"] = "cumulative"
    nominal: Literal["plain", "adaptive"] = "plain"
    per: Literal["condition", "site"] = "condition"
    fewest: int = Field(default=50, ge=1)
    keep_answer: bool = False


def fit_sets(
    spec: ConformalSpec, predictions: Predictions, labels: Labels, rubric: Rubric
) -> SetThresholds:
    """Learn thresholds from units with labels that the predictor had not learnt from.

    Args:
        spec: settings.
        predictions: out of fold, of one predictor.
        labels: the truth; rows without grade and pseudo-labels teach nothing, of a soft label
            counts the most probable grade.
        rubric: the questions.

    Returns:
        Thresholds of each condition that has labels. The finite-sample rank ceil((n + 1) c) of n
        scores is taken; where it exceeds n, the threshold is infinite and the grade always stays.
    """
    graded = {one.target.name: one for one in join(rubric, labels, predictions).graded}
    learnt = {}
    for condition, targets in conditions(rubric).items():
        parts = [graded[target.name] for target in targets if target.name in graded]
        if not parts:
            continue
        scores = np.concatenate([_scores(spec, one.target, one.predicted) for one in parts])
        grade = np.concatenate([one.grade for one in parts])
        site = np.concatenate([one.site for one in parts])
        learnt[_key(condition)] = _thresholds(spec, scores, grade, site, len(rubric.sites))
    return learnt


def apply_sets(
    spec: ConformalSpec, predictions: Predictions, learnt: SetThresholds, rubric: Rubric
) -> GradeSets:
    """Return a set for each unit and target; a target without thresholds rules nothing out.

    A set that would be empty, because no grade fits, holds the most probable grade.

    Raises:
        RecordError: if thresholds are of other grades than the rubric's.
    """
    place = {site: index + 1 for index, site in enumerate(rubric.sites)}
    parts = []
    for condition, targets in conditions(rubric).items():
        for target in targets:
            frame = predictions.frame.filter(pl.col("target") == target.name)
            if not len(frame):
                continue
            thresholds = learnt.get(_key(condition), np.full((1, len(target.grades)), np.inf))
            _check_fit(thresholds, target, rubric)
            rows = [place.get(site, 0) if len(thresholds) > 1 else 0 for site in frame["site"]]
            chances = np.array(frame["probabilities"].to_list(), np.float64)
            parts.append(_rows(frame, _holds(spec, target, chances, thresholds[rows])))
    return GradeSets(pl.concat(parts)) if parts else GradeSets.empty()


def sets_out_of_fold(
    spec: ConformalSpec, predictions: Predictions, labels: Labels, folds: Folds, rubric: Rubric
) -> GradeSets:
    """Return the sets of each fold, from thresholds that the other folds taught.

    Units of subjects without a fold (who have no labels) get what all folds teach.
    """
    parts = []
    for inside, outside in held_out_rows(predictions, folds):
        learnt = fit_sets(spec, outside, labels, rubric)
        parts.append(apply_sets(spec, inside, learnt, rubric))
    return GradeSets.concat(parts)


def held_out_rows(predictions: Predictions, folds: Folds) -> list[tuple[Predictions, Predictions]]:
    """Return (predictions of a fold, predictions of all others) for each fold that occurs."""
    fold_of = folds.of()
    own = np.array([fold_of.get(one, -1) for one in predictions.frame["subject"]], np.int64)
    return [
        (Predictions(predictions.frame.filter(own == one)), _others(predictions, own, int(one)))
        for one in np.unique(own)
    ]


def _others(predictions: Predictions, own: NDArray[np.int64], fold: int) -> Predictions:
    return Predictions(predictions.frame.filter((own != fold) & (own >= 0)))


def _key(condition: str) -> str:
    return f"threshold.{condition}"


def _scores(spec: ConformalSpec, target: Target, probabilities: Floats) -> Floats:
    return SCORES[spec.nominal if target.scale == "nominal" else spec.ordered](probabilities)


def _thresholds(
    spec: ConformalSpec,
    scores: Floats,
    grade: NDArray[np.int64],
    site: NDArray[np.int64],
    num_sites: int,
) -> Floats:
    grades = scores.shape[1]
    own = [scores[grade == one, one] for one in range(grades)]
    table = [[_quantile(one, spec.coverage) for one in own]]
    for here in range(num_sites if spec.per == "site" else 0):
        there = [scores[(grade == one) & (site == here), one] for one in range(grades)]
        table.append(
            [
                _quantile(one, spec.coverage) if len(one) >= spec.fewest else pooled
                for one, pooled in zip(there, table[0], strict=True)
            ]
        )
    return np.array(table, np.float64)


def _quantile(scores: Floats, coverage: float) -> float:
    # 1e-9: (n + 1) c is often a whole number that floating point puts just above.
    rank = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
    return float(np.partition(scores, rank - 1)[rank - 1]) if rank <= len(scores) else np.inf


def _holds(
    spec: ConformalSpec, target: Target, chances: Floats, thresholds: Floats
) -> NDArray[np.bool_]:
    holds = _scores(spec, target, chances) <= thresholds
    answer = np.eye(len(target.grades), dtype=bool)[chances.argmax(axis=1)]
    holds |= answer & (np.asarray(spec.keep_answer) | ~holds.any(axis=1))[:, None]
    return holds if target.scale == "nominal" else without_gaps(holds)


def _check_fit(thresholds: Floats, target: Target, rubric: Rubric) -> None:
    if thresholds.shape[1] != len(target.grades) or len(thresholds) not in {
        1,
        1 + len(rubric.sites),
    }:
        raise RecordError(
            f"thresholds of {target.name} are {thresholds.shape}, expected (1 or "
            f"{1 + len(rubric.sites)}, {len(target.grades)}); learn them for this rubric"
        )


def _rows(frame: pl.DataFrame, holds: NDArray[np.bool_]) -> pl.DataFrame:
    kept = frame.select("unit", "study", "subject", "site", "target", "predictor")
    return kept.with_columns(holds=pl.Series(holds.tolist(), dtype=pl.List(pl.Boolean)))
