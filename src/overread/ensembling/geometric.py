"""Geometric mean of the members' probabilities: the mean of their logits. Learns nothing.

Sharper than the plain mean where members agree; one member that is sure can veto.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread import shelf
from overread.ensembling.joining import Parameters, Sheet
from overread.ensembling.weighing import member_weights

__all__ = ["Spec", "apply", "fit"]

Floats = NDArray[np.float64]


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        weights: {member: weight}; members that are not named weigh 1. Only ratios count.
        floor: probabilities below count as this, so that one zero does not decide.
    """

    weights: Mapping[str, float] = {}
    floor: float = Field(default=1e-6, gt=0, lt=0.5)


def fit(spec: Spec, sheet: Sheet, truth: Floats) -> Parameters:
    """Learn nothing."""
    del spec, sheet, truth
    return {}


def apply(spec: Spec, sheet: Sheet, learnt: Parameters) -> Floats:
    """Return the (n, grades) geometric mean over the members that answered, made to sum to 1."""
    del learnt
    weights = member_weights(spec.weights, sheet)
    logs = np.log(np.maximum(np.nan_to_num(sheet.probabilities), spec.floor))
    joined = np.exp(np.einsum("mn,mng->ng", weights, logs))
    return np.asarray(joined / joined.sum(axis=1, keepdims=True))
