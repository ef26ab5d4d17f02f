"""Mean of the members' probabilities; with weights if given. Learns nothing.

A unit is averaged over the members that answer it, as blends of submissions are.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from overread import shelf
from overread.ensembling.joining import Parameters, Sheet
from overread.ensembling.weighing import member_weights

__all__ = ["Spec", "apply", "fit"]

Floats = NDArray[np.float64]


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        weights: {member: weight}; members that are not named weigh 1. Only ratios count.
    """

    weights: Mapping[str, float] = {}


def fit(spec: Spec, sheet: Sheet, truth: Floats) -> Parameters:
    """Learn nothing."""
    del spec, sheet, truth
    return {}


def apply(spec: Spec, sheet: Sheet, learnt: Parameters) -> Floats:
    """Return the (n, grades) mean over the members that answered."""
    del learnt
    weights = member_weights(spec.weights, sheet)
    return np.asarray(np.einsum("mn,mng->ng", weights, np.nan_to_num(sheet.probabilities)))
