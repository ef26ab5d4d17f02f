"""Geometric mean of the members' probabilities: the mean of their logits. Learns nothing.

Sharper than the plain mean where members agree; one member that is sure can veto.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread import shelf
from overread.ensembling.sheets import Book, Parameters, Sheet, Truths
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


def fit(spec: Spec, book: Book, truths: Truths) -> Parameters:
    """Learn nothing."""
    del spec, book, truths
    return {}


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, grades)}: the geometric mean over the members that answered."""
    del learnt
    return {sheet.target.name: _geometric(spec, sheet) for sheet in book}


def _geometric(spec: Spec, sheet: Sheet) -> Floats:
    weights = member_weights(spec.weights, sheet)
    logs = np.log(np.maximum(np.nan_to_num(sheet.probabilities), spec.floor))
    joined = np.exp(np.einsum("mn,mng->ng", weights, logs))
    return np.asarray(joined / joined.sum(axis=1, keepdims=True))
