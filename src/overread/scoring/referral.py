"""Which answers to leave to a person: risk of the rest, by confidence and by sets of grades.

A condition's sides are counted together; the risk is the share of wrong answers among those that
are kept. Curves and the areas under them come from the same units.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.records import GradeSets, Labels, Predictions, RecordError, Rubric, conditions
from overread.scoring.abstention import Spec, confidence_of, loss_of, risk_kept, weighed_area
from overread.scoring.bootstrap import interval, subject_draws
from overread.scoring.exam import Graded, join

__all__ = ["referral_areas", "referral_curves"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
GRID = np.linspace(0, 0.95, 96)
AREAS: dict[str, pl.DataType] = {
    "condition": pl.String(),
    "by": pl.String(),
    "n": pl.Int64(),
    "risk": pl.Float64(),
    "area": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "best": pl.Float64(),
}


def referral_areas(
    rubric: Rubric,
    labels: Labels,
    predictions: Predictions,
    sets: GradeSets | None = None,
    *,
    bootstrap: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:
    """Return the area under risk against share referred, for each way of choosing whom to refer.

    Args:
        rubric: the questions.
        labels: the truth; rows without grade and pseudo-labels are left out.
        predictions: of one predictor.
        sets: of the same units; None = by confidence alone.
        bootstrap: replicates of the 95 % intervals, which draw subjects.
        seed: of the draws.

    Returns:
        A row a condition and way ("confidence", "entropy", "set": by how many grades other than
        the answer are not ruled out): n, the `risk` of referring nobody (which is also the area of
        a choice by chance), the area with its interval, and the `best` area that there can be,
        where the wrong answers go first.

    Raises:
        RecordError: if a graded answer has no set.
    """
    draws: Floats | None = None
    rows: list[dict[str, object]] = []
    for condition, ways, loss, subject, people in _conditions(rubric, labels, predictions, sets):
        draws = subject_draws(people, bootstrap, seed) if draws is None else draws
        best = float(weighed_area(-loss, loss, subject)(draws[:1])[0])
        for way, confidence in ways.items():
            areas = weighed_area(confidence, loss, subject)(draws)
            low, high = interval(areas[1:])
            row = {"condition": condition, "by": way, "n": len(loss), "risk": float(loss.mean())}
            rows.append({**row, "area": float(areas[0]), "low": low, "high": high, "best": best})
    return pl.DataFrame(rows, schema=AREAS)


def referral_curves(
    rubric: Rubric, labels: Labels, predictions: Predictions, sets: GradeSets | None = None
) -> pl.DataFrame:
    """Return the risk of the answers that are kept at shares referred from 0 to 95 %.

    Returns:
        Columns condition, by, referred, risk; see `referral_areas`.
    """
    parts = [
        pl.DataFrame({"referred": GRID, "risk": risk_kept(confidence, loss, 1 - GRID)}).select(
            pl.lit(condition).alias("condition"), pl.lit(way).alias("by"), "referred", "risk"
        )
        for condition, ways, loss, _, _ in _conditions(rubric, labels, predictions, sets)
        for way, confidence in ways.items()
    ]
    empty = {"condition": pl.String, "by": pl.String, "referred": pl.Float64, "risk": pl.Float64}
    return pl.concat(parts) if parts else pl.DataFrame(schema=empty)


def _conditions(
    rubric: Rubric, labels: Labels, predictions: Predictions, sets: GradeSets | None
) -> Iterator[tuple[str, dict[str, Floats], Floats, Ints, int]]:
    """Yield condition, {way: confidence}, losses, subjects and how many subjects there are."""
    rows = predictions if sets is None else _with_sets(labels, predictions, sets)
    exam = join(rubric, labels, rows)
    graded = {one.target.name: one for one in exam.graded}
    for condition, targets in conditions(rubric).items():
        parts = [graded[target.name] for target in targets if target.name in graded]
        if not parts:
            continue
        ways = {
            "confidence": _joined(parts, Spec()),
            "entropy": _joined(parts, Spec(confidence="entropy")),
        }
        if sets is not None:
            others = [_others(labels, sets, one) for one in parts]
            ways["set"] = -np.concatenate(others).astype(np.float64)
        loss = np.concatenate([loss_of(Spec(), one) for one in parts])
        subject = np.concatenate([one.subject for one in parts])
        yield condition, ways, loss, subject, len(exam.subjects)


def _joined(parts: list[Graded], spec: Spec) -> Floats:
    return np.concatenate([confidence_of(spec, one.predicted) for one in parts])


def _with_sets(labels: Labels, predictions: Predictions, sets: GradeSets) -> Predictions:
    """Return the predictions of graded units, all of which have sets."""
    known = _known(labels)
    rows = predictions.frame.join(known, on=("unit", "target"), how="semi")
    alone = rows.join(sets.frame, on=("unit", "target"), how="anti")
    if len(alone):
        raise RecordError(
            f"{len(alone)} graded answers have no set, such as {alone['target'][0]} of "
            f"{alone['unit'][0]}; make the sets from these predictions"
        )
    return Predictions(rows)


def _others(labels: Labels, sets: GradeSets, one: Graded) -> Ints:
    """(n,) grades in each set besides the answer, in the order of an exam: graded units, sorted."""
    rows = sets.frame.filter(pl.col("target") == one.target.name)
    rows = rows.join(_known(labels), on=("unit", "target"), how="semi").sort("unit")
    holds = np.array(rows["holds"].to_list(), np.bool_)
    answer = one.predicted.argmax(axis=1)
    return np.asarray(holds.sum(axis=1) - holds[np.arange(len(holds)), answer], np.int64)


def _known(labels: Labels) -> pl.DataFrame:
    return labels.known().frame.filter(pl.col("origin") != "pseudo").select("unit", "target")
