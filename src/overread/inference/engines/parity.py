"""How far two sets of grades of the same studies lie apart, and what that does to their score.

Where the grades come from, and how long they took, is not known here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from overread.inference.grades import Grades
from overread.records import Labels, Predictions, RecordError, Rubric, Scores
from overread.scoring import compare, evaluate
from overread.shelf import Named, Spec

__all__ = ["METRICS", "Parity", "ParitySpec", "compare_grades", "score_both", "unlike"]

METRICS = (Named(use="log_loss"), Named(use="kappa"))
KEY = ("unit", "target")


class ParitySpec(Spec):
    """How far grades may lie apart.

    Attributes:
        tolerance: largest difference of a probability.
        flips: share of answers whose most probable grade may be another.
    """

    tolerance: float = Field(default=0.01, ge=0, le=1)
    flips: float = Field(default=0.0, ge=0, le=1)


@dataclass(frozen=True)
class Parity:
    """How far the second grades lie from the first.

    Attributes:
        studies, answers: that both graded.
        apart: studies that one graded and the other refused, or answers that one lacks.
        largest, mean: difference of a probability.
        flips: answers whose most probable grade is another.
        points_mm: largest distance between points of one name.
        scores: {metric: {"first", "second", "difference", "low", "high", "n"}} where labels are
            known; low and high of the difference, 95 %.
    """

    studies: int = 0
    answers: int = 0
    apart: int = 0
    largest: float = 0.0
    mean: float = 0.0
    flips: int = 0
    points_mm: float = 0.0
    scores: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)


def compare_grades(first: Grades, second: Grades, labels: Labels | None = None) -> Parity:
    """Compare what two bundles, or one in two engines, say of the same studies.

    Args:
        first: what one says.
        second: what the other says of the same files.
        labels: the truth, where it is known.
    """
    tables = (first.predictions(), second.predictions())
    both = tables[0].frame.join(tables[1].frame, on=KEY, suffix="_second")
    refused = [{s.study for s in grades.studies if s.refused is None} for grades in (first, second)]
    apart = len(refused[0] ^ refused[1]) + len(tables[0]) + len(tables[1]) - 2 * len(both)
    off = _differences(both)
    return Parity(
        studies=len(refused[0] & refused[1]),
        answers=len(both),
        apart=apart,
        largest=float(max((one.max() for one in off), default=0.0)),
        mean=float(np.mean(np.concatenate(off))) if off else 0.0,
        flips=sum(_flips(both)),
        points_mm=_points_mm(first, second),
        scores={} if labels is None else score_both(first.rubric, labels, tables),
    )


def score_both(
    rubric: Rubric,
    labels: Labels,
    tables: tuple[Predictions, Predictions],
    metrics: Sequence[Named] = METRICS,
) -> dict[str, dict[str, float | None]]:
    """Score two predictors, and their difference on the same draws of subjects.

    Args:
        rubric: what is asked.
        labels: the truth.
        tables: of one predictor each.
        metrics: names of the shelf of scores.

    Returns:
        {metric: {"first", "second", "difference" (first - second), "low", "high" (95 %, of the
        difference), "n"}}; empty where no labelled unit is answered by both.
    """
    first, second = (
        Predictions(table.frame.with_columns(predictor=pl.lit(name)))
        for name, table in zip(("first", "second"), tables, strict=True)
    )
    both = Predictions.concat([first, second])
    try:
        each = evaluate(rubric, labels, both, metrics, folds=None, bootstrap=0, floors=False)
        gap = compare(rubric, labels, (first, second), metrics)
    except RecordError:
        return {}
    found: dict[str, dict[str, float | None]] = {}
    for metric in each.frame["metric"].unique(maintain_order=True):
        values = {row["predictor"]: row["value"] for row in _whole(each, metric)}
        apart = _whole(gap, metric)[0]
        found[metric] = {
            **{name: values.get(name) for name in ("first", "second")},
            "difference": apart["value"],
            **{name: apart[name] for name in ("low", "high", "n")},
        }
    return found


def unlike(spec: ParitySpec, parity: Parity) -> str | None:
    """Return why grades lie too far apart, in words; None if they do not."""
    if not parity.answers:
        return "none of the studies was graded, so nothing could be compared"
    if parity.apart:
        return f"{parity.apart} studies or answers are in one and not in the other"
    if not parity.largest <= spec.tolerance:
        return f"a probability is off by {parity.largest:.2g}, allowed is {spec.tolerance:.2g}"
    if parity.flips > spec.flips * parity.answers:
        return (
            f"{parity.flips} of {parity.answers} answers have another most probable grade, allowed "
            f"is a share of {spec.flips:.2g}"
        )
    return None


def _differences(both: pl.DataFrame) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    pairs = both.select("probabilities", "probabilities_second").iter_rows()
    return [np.abs(np.subtract(one, other)) for one, other in pairs]


def _flips(both: pl.DataFrame) -> Sequence[bool]:
    pairs = both.select("probabilities", "probabilities_second").iter_rows()
    return [int(np.argmax(one)) != int(np.argmax(other)) for one, other in pairs]


def _points_mm(first: Grades, second: Grades) -> float:
    others = {one.study: one.keypoints for one in second.studies}
    gaps = [0.0]
    for study in first.studies:
        for name, points in study.keypoints.items():
            there = others.get(study.study, {}).get(name)
            for point, here in zip(points.names, points.points, strict=True):
                place = None if there is None else there.get(point)
                if place is not None:
                    gaps.append(float(np.linalg.norm(here - place)))
    return max(gaps)


def _whole(scores: Scores, metric: str) -> list[dict[str, Any]]:
    """Return the rows about all targets; those of the first target where there is no such row."""
    rows = scores.frame.filter((pl.col("metric") == metric) & pl.col("slice").is_null())
    every = rows.filter(pl.col("target").is_null())
    chosen = every if len(every) else rows.filter(pl.col("target") == rows["target"].first())
    return list(chosen.iter_rows(named=True))
