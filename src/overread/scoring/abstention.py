"""Risk when the least sure answers are left to a person: the area under risk against share kept.

Lower is better. At each share kept, the surest answers are kept, and the risk is their mean loss;
the area is its mean over all shares (AURC; Geifman and El-Yaniv, NeurIPS 2017). Answers that are
equally sure are kept in any order: the expected risk counts, so that ties need no draw. A
confidence that tells nothing has the risk of keeping all, at every share.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overread.scoring.exam import (
    Exam,
    Graded,
    Measure,
    Slices,
    Weighed,
    by_target,
    divide,
)

__all__ = [
    "BETTER",
    "Spec",
    "confidence_of",
    "loss_of",
    "measures",
    "risk_kept",
    "weighed_area",
]

Floats = NDArray[np.float64]
BETTER = "lower"
# With more different confidences, neighbours count as equally sure; areas change by about 1e-5.
MOST = 500


class Spec(Slices):
    """Settings.

    Attributes:
        confidence: of an answer: the probability of the most probable grade ("top"), or one minus
            its entropy ("entropy").
        loss: of the most probable grade: 1 where it is wrong ("error"), or the share of the scale
            that it is off by ("distance"; nominal targets: error).
    """

    confidence: Literal["top", "entropy"] = "top"
    loss: Literal["error", "distance"] = "error"


def measures(spec: Spec, exam: Exam) -> list[Measure]:
    """Return the areas as functions of the weight of each subject."""

    def weigh(one: Graded) -> Weighed:
        return weighed_area(confidence_of(spec, one.predicted), loss_of(spec, one), one.subject)

    return by_target(exam, weigh, spec)


def confidence_of(spec: Spec, probabilities: Floats) -> Floats:
    """Return how sure answers (n, grades) are, 0 to 1."""
    if spec.confidence == "top":
        return np.asarray(probabilities.max(axis=1))
    safe = np.maximum(probabilities, np.finfo(np.float64).tiny)
    entropy = -(probabilities * np.log(safe)).sum(axis=1)
    return np.asarray(1 - entropy / np.log(probabilities.shape[1]))


def loss_of(spec: Spec, one: Graded) -> Floats:
    """Return (n,) losses of the most probable grades, 0 to 1."""
    apart = np.abs(one.predicted.argmax(axis=1) - one.grade)
    if spec.loss == "error" or one.target.scale == "nominal":
        return np.asarray(apart > 0, np.float64)
    return np.asarray(apart / (len(one.target.grades) - 1), np.float64)


def risk_kept(confidence: Floats, loss: Floats, kept: Floats) -> Floats:
    """Return the mean loss of the surest answers, for each share of them that is kept.

    Args:
        confidence: (n,) the surest is largest; ties are kept in any order.
        loss: (n,) of the answers.
        kept: (k,) shares above 0 up to 1.
    """
    order, starts = _groups(confidence)
    counts = np.add.reduceat(np.ones(len(loss)), starts)
    losses = np.add.reduceat(loss[order], starts)
    shares = np.concatenate([[0.0], np.cumsum(counts) / len(loss)])
    # Within a tie the expected loss grows evenly, so that straight lines are exact.
    sums = np.interp(kept, shares, np.concatenate([[0.0], np.cumsum(losses) / len(loss)]))
    return np.asarray(sums / kept)


def _groups(confidence: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order from the surest on, and where in it each group of ties begins."""
    order = np.argsort(-confidence, kind="stable")
    new = np.diff(confidence[order]) != 0
    return order, np.concatenate([[0], np.flatnonzero(new) + 1])


def weighed_area(confidence: Floats, loss: Floats, subject: NDArray[np.int64]) -> Weighed:
    """Return the area under risk against share kept, as a function of the weight of each subject.

    Args:
        confidence: (n,) the surest is largest.
        loss: (n,) of the answers.
        subject: (n,) index of each answer's subject.
    """
    group = _group_of(confidence)
    people, groups = int(subject.max()) + 1, int(group.max()) + 1
    own, lost = (np.zeros((people, groups)) for _ in range(2))
    np.add.at(own, (subject, group), 1.0)
    np.add.at(lost, (subject, group), loss)
    return lambda weights: _area(weights[:, :people] @ own, weights[:, :people] @ lost)


def _group_of(confidence: Floats) -> NDArray[np.int64]:
    """(n,) group of each answer, the surest first: ties together, and at most `MOST` groups."""
    order, starts = _groups(confidence)
    rank = np.arange(len(order))
    group = np.empty(len(order), np.int64)
    few = len(starts) <= MOST
    group[order] = (
        np.searchsorted(starts, rank, side="right") - 1 if few else rank * MOST // len(rank)
    )
    return group


def _area(own: Floats, lost: Floats) -> Floats:
    """Return the (replicates,) integrals of the risk over the kept share, exact within ties.

    Both are (replicates, groups): weights and weighted losses, the surest group first. In
    a group of weight w and mean loss m, after weight W with losses S, the risk at t of w is
    (S + t m) / (W + t), whose integral is m w + (S - m W) ln(1 + w / W).
    """
    before = np.cumsum(own, axis=1) - own
    lost_before = np.cumsum(lost, axis=1) - lost
    mean = np.nan_to_num(divide(lost, own))
    grown = np.log1p(np.nan_to_num(divide(own, before)))
    area = (lost + (lost_before - mean * before) * grown).sum(axis=1)
    return divide(area, own.sum(axis=1))
