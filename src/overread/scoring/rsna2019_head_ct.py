"""The official score of the RSNA 2019 hemorrhage challenge: weighted log loss of all targets.

Each row costs -ln(probability of what is true), times the weight of its target ("any" counts
twice, as the rubric says), divided by the sum of weights. Lower is better. Source: the
challenge's evaluation page. Equals the mean of [any, any, the five others] when every slice has
all six rows.

Knows targets by their weights alone.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread import shelf
from overread.records import RecordError
from overread.scoring.exam import Exam, Graded, Measure, divide

__all__ = ["BETTER", "Spec", "measures"]

Floats = NDArray[np.float64]
BETTER = "lower"


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        clip: probabilities are held at least this far from 0 and 1; the official score takes
            1e-15, published solutions often submit 1e-6.
        derived_weight: of a target that the rubric derives as the maximum of others.
    """

    clip: float = Field(default=1e-15, gt=0, lt=0.5)
    derived_weight: float = Field(default=2.0, gt=0)


def measures(spec: Spec, exam: Exam) -> list[Measure]:
    """Return total and targets as functions of the weight of each subject.

    Raises:
        RecordError: if a derived target needs targets of which some slices lack predictions.
    """
    graded = [*exam.graded, *_derived(spec, exam)]
    sums = [_sums(one, spec.clip) for one in graded]
    if not sums:
        return []
    n = sum(len(one) for one in graded)
    parts = [
        _measure(one.target.name, len(one), each) for one, each in zip(graded, sums, strict=True)
    ]
    return [_measure(None, n, np.sum(sums, axis=0)), *parts]


def _derived(spec: Spec, exam: Exam) -> list[Graded]:
    """Return the targets that are the maximum of others, put together from their units."""
    there = {one.target.name: one for one in exam.graded}
    found = []
    for derived in exam.rubric.derived:
        parts = [there[name] for name in derived.of if name in there]
        if derived.kind != "any" or len(parts) < len(derived.of):
            continue
        first = parts[0]
        if any(not np.array_equal(first.study, one.study) for one in parts):
            raise RecordError(
                f"{derived.name} is the maximum of {', '.join(derived.of)}, but their units "
                "differ; predict and label all of them for every slice"
            )
        weights = (spec.derived_weight,) * 2
        target = replace(first.target, name=derived.name, weights=weights)
        truth, said = _worst([one.truth for one in parts]), _worst([one.predicted for one in parts])
        found.append(replace(first, target=target, truth=truth, predicted=said))
    return found


def _worst(parts: list[Floats]) -> Floats:
    """Return (n, 2): the greatest probability of the last grade, behind what is left of 1."""
    highest = np.max([part[:, -1] for part in parts], axis=0)
    return np.stack([1 - highest, highest], axis=1)


def _sums(one: Graded, clip: float) -> Floats:
    """Return (subjects, 2): weighted losses and weights. Soft truth counts in parts."""
    weighted = one.truth * np.array(one.target.weights)
    loss = -(weighted * np.log(np.clip(one.predicted, clip, 1 - clip))).sum(axis=1)
    return one.per_subject(np.stack([loss, weighted.sum(axis=1)], axis=1))


def _measure(target: str | None, n: int, sums: Floats) -> Measure:
    return Measure(target, None, n, lambda weights: divide(*(weights @ sums).T))
