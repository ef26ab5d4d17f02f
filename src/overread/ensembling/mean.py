"""Mean of the members' probabilities; with weights if given. Learns nothing.

A unit is averaged over the members that answer it, as blends of submissions are.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from overread import shelf
from overread.ensembling.sheets import Book, Parameters, Sheet, Truths
from overread.ensembling.weighing import member_weights

__all__ = ["Spec", "apply", "fit", "mean_of"]

Floats = NDArray[np.float64]


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        weights: {member: weight}; members that are not named weigh 1. Only ratios count.
    """

    weights: Mapping[str, float] = {}


def fit(spec: Spec, book: Book, truths: Truths) -> Parameters:
    """Learn nothing."""
    del spec, book, truths
    return {}


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, grades)}: the mean over the members that answered."""
    del learnt
    return {sheet.target.name: mean_of(sheet, spec.weights) for sheet in book}


def mean_of(sheet: Sheet, weights: Mapping[str, float]) -> Floats:
    """Return the (n, grades) mean over the members that answered a unit."""
    shares = member_weights(weights, sheet)
    return np.asarray(np.einsum("mn,mng->ng", shares, np.nan_to_num(sheet.probabilities)))
