"""Vector scaling of the mean: for each condition a slope and a shift of every grade's logit.

Guo et al., On Calibration of Modern Neural Networks, 2017. Both sides of a condition share it.
"""

import numpy as np
from numpy.typing import NDArray

from overread.ensembling.scaling import Scaling, apply_scaling, fit_scaling
from overread.ensembling.sheets import Book, Parameters, Truths

__all__ = ["Spec", "apply", "fit"]


class Spec(Scaling):
    """Settings: those of `Scaling`."""


def fit(spec: Spec, book: Book, truths: Truths) -> Parameters:
    """Return slopes and shifts that make each condition's log loss smallest."""
    return fit_scaling(spec, book, truths, np.array([1.0, np.inf]))


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, NDArray[np.float64]]:
    """Return {target: (n, grades)} with the learnt slopes and shifts."""
    return apply_scaling(spec, book, learnt)
