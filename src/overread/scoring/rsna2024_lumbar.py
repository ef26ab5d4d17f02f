"""The official score of the RSNA 2024 lumbar spine challenge, and its four terms.

Weighted log losses of the spinal, foraminal and subarticular targets and of the event "any level
of the study has severe spinal stenosis", averaged. Lower is better. Source: the challenge's
evaluation page and its public metric notebook (scikit-learn `log_loss` with sample weights).

Knows the names of the targets only by the words "spinal", "foraminal" and "subarticular" in them,
as the original does. Groups without rows are left out of the mean, as in the local scores that
teams published; any_severe takes part when there are spinal rows.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overread import shelf
from overread.records import RecordError
from overread.scoring.exam import Exam, Graded, Measure, divide

__all__ = ["BETTER", "Spec", "measures"]

Floats = NDArray[np.float64]
BETTER = "lower"
GROUPS = ("spinal", "foraminal", "subarticular")


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        any_severe_scalar: weight of the any-severe term; the three others weigh 1.
        precision: type of number whose machine epsilon clips probabilities: the original clips
            float32 predictions at 1.2e-7 and float64 ones at 2.2e-16.
        one_sided: what the any-severe term is when no study, or every study, has a severe spinal
            grade. The original refuses such a table (scikit-learn raises); "null" gives no number
            for the term and the total, "formula" computes the log loss, which is well defined.
    """

    any_severe_scalar: float = 1.0
    precision: Literal["float64", "float32"] = "float64"
    one_sided: Literal["null", "formula"] = "null"


def measures(spec: Spec, exam: Exam) -> list[Measure]:
    """Return total and terms as functions of the weight of each subject.

    Raises:
        RecordError: if no target of the rubric belongs to a group.
    """
    if not any(group in name for group in GROUPS for name in exam.rubric.names):
        raise RecordError(
            f"rsna2024_lumbar scores targets with {' / '.join(GROUPS)} in their names; "
            f"rubric {exam.rubric.name} has {', '.join(exam.rubric.names)}"
        )
    epsilon = float(np.finfo(spec.precision).eps)
    members = {group: [one for one in exam.graded if group in one.target.name] for group in GROUPS}
    terms: list[tuple[Measure, float]] = []
    for group, parts in members.items():
        if parts:
            n = sum(len(part) for part in parts)
            terms.append((Measure(None, group, n, _log_loss(parts, epsilon)), 1.0))
    if members["spinal"]:
        any_severe = _any_severe(members["spinal"], epsilon, one_sided=spec.one_sided)
        terms.append((any_severe, spec.any_severe_scalar))
    if not terms:
        return []
    n = sum(len(one) for one in exam.graded)
    return [Measure(None, None, n, _total(terms)), *(term for term, _ in terms)]


def _total(terms: list[tuple[Measure, float]]) -> Callable[[Floats], Floats]:
    scale = sum(weight for _, weight in terms)

    def weighed(weights: Floats) -> Floats:
        parts = [term.weighed(weights) * weight for term, weight in terms if weight]
        return np.asarray(np.sum(parts, axis=0) / scale)

    return weighed


def _log_loss(parts: list[Graded], epsilon: float) -> Callable[[Floats], Floats]:
    above = np.sum([one.per_subject(_losses(one, epsilon))[:, 0] for one in parts], axis=0)
    below = np.sum([one.per_subject(_weights(one)[:, None])[:, 0] for one in parts], axis=0)
    return lambda weights: divide(weights @ above, weights @ below)


def _normalised(predicted: Floats) -> Floats:
    return np.asarray(predicted / predicted.sum(axis=1, keepdims=True))


def _losses(one: Graded, epsilon: float) -> Floats:
    clipped = np.clip(_normalised(one.predicted), epsilon, 1 - epsilon)
    weighted = one.truth * np.array(one.target.weights)
    return np.asarray(-(weighted * np.log(clipped)).sum(axis=1, keepdims=True))


def _weights(one: Graded) -> Floats:
    return np.asarray(one.truth @ np.array(one.target.weights))


def _any_severe(parts: list[Graded], epsilon: float, *, one_sided: str) -> Measure:
    study = np.concatenate([one.study for one in parts])
    names, index = np.unique(study, return_inverse=True)
    severe, chance, weight = (np.zeros(len(names)) for _ in range(3))
    worst = [one.grade == len(one.target.grades) - 1 for one in parts]
    np.maximum.at(severe, index, np.concatenate(worst).astype(np.float64))
    predicted = [_normalised(one.predicted)[:, -1] for one in parts]
    np.maximum.at(chance, index, np.concatenate(predicted))
    np.maximum.at(weight, index, np.concatenate([_weights(one) for one in parts]))
    subject = np.zeros(len(names), np.int64)
    subject[index] = np.concatenate([one.subject for one in parts])
    chance = np.clip(chance, epsilon, 1 - epsilon)
    loss = -(severe * np.log(chance) + (1 - severe) * np.log1p(-chance)) * weight
    columns = np.stack([loss, weight, severe, 1 - severe], axis=1)
    sums = np.zeros((parts[0].num_subjects, 4))
    np.add.at(sums, subject, columns)

    def weighed(weights: Floats) -> Floats:
        above, below, positive, negative = (weights @ sums).T
        values = divide(above, below)
        if one_sided == "null":
            values = np.where((positive > 0) & (negative > 0), values, np.nan)
        return np.asarray(values)

    return Measure(None, "any_severe", len(names), weighed)
