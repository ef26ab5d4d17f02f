"""Nonconformity scores: how badly a grade fits what a predictor says of a unit, from 0 to 1.

Each takes (n, grades) probabilities and gives (n, grades) scores; a grade stays in a set when its
score is at most the threshold that was learnt for it. Labels are not known here.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCORES", "adaptive", "cumulative", "ordinal", "plain", "without_gaps"]

Floats = NDArray[np.float64]
# Half of a grade's own probability counts: the mean of the randomised scores, the same every time.
OWN = 0.5


def plain(probabilities: Floats) -> Floats:
    """Return 1 - probability (least ambiguous sets; Sadinle, Lei and Wasserman, JASA 2019).

    With thresholds for each grade these are the smallest sets there are, if the probabilities are
    right. Sets of ordered grades may have gaps.
    """
    return np.asarray(1 - probabilities)


def adaptive(probabilities: Floats) -> Floats:
    """Return the probability of the likelier grades and half of the own (Romano et al. 2020).

    Of equally probable grades the first counts as the likelier.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    sorted_ = np.take_along_axis(probabilities, order, axis=1)
    scores = np.empty_like(sorted_)
    before = np.cumsum(sorted_, axis=1) - sorted_
    np.put_along_axis(scores, order, before + OWN * sorted_, axis=1)
    return scores


def ordinal(probabilities: Floats) -> Floats:
    """Return what a run of neighbouring grades holds when it reaches a grade, half of it counted.

    The run starts at the most probable grade and grows by the likelier neighbour (ordinal adaptive
    sets; Lu, Angelopoulos and Pomerantz, MICCAI 2022).
    """
    num_units, grades = probabilities.shape
    rows = np.arange(num_units)
    low = probabilities.argmax(axis=1)
    high = low.copy()
    total = probabilities[rows, low]
    scores = np.zeros_like(probabilities)
    scores[rows, low] = OWN * total
    padded = np.pad(probabilities, ((0, 0), (1, 1)), constant_values=-1.0)
    for _ in range(grades - 1):
        upwards = padded[rows, high + 2] > padded[rows, low]
        high, low = high + upwards, low - ~upwards
        reached = np.where(upwards, high, low)
        mass = probabilities[rows, reached]
        scores[rows, reached] = total + OWN * mass
        total = total + mass
    return scores


def cumulative(probabilities: Floats) -> Floats:
    """Return the larger of the probabilities that the truth is worse, and that it is milder.

    A grade is ruled out when the predictor is sure enough that the truth lies on one side of it.
    Of ordered grades, milder and worse ones further away never fit better than nearer ones.
    """
    up_to = np.cumsum(probabilities, axis=1)
    return np.asarray(np.maximum(up_to - probabilities, np.maximum(1 - up_to, 0)))


SCORES = {"plain": plain, "adaptive": adaptive, "ordinal": ordinal, "cumulative": cumulative}


def without_gaps(holds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return sets of ordered grades with all grades between their mildest and their worst.

    Example:
        >>> without_gaps(np.array([[True, False, True], [False, True, False]])).tolist()
        [[True, True, True], [False, True, False]]
    """
    from_below = np.maximum.accumulate(holds, axis=1)
    from_above = np.maximum.accumulate(holds[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(from_below & from_above)
