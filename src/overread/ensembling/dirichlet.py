"""Dirichlet calibration of the mean: for each condition a full matrix on the log probabilities.

Kull et al., Beyond temperature scaling, NeurIPS 2019, with their off-diagonal regularisation; here
it draws to the identity. Both sides of a condition share the matrix.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread.ensembling.scaling import Scaling, apply_scaling, fit_scaling
from overread.ensembling.sheets import Book, Parameters, Truths

__all__ = ["Spec", "apply", "fit"]


class Spec(Scaling):
    """Settings: those of `Scaling`, and one.

    Attributes:
        mixing: how many times more strongly entries off the diagonal are drawn to 0.
    """

    mixing: float = Field(default=10.0, ge=0)


def fit(spec: Spec, book: Book, truths: Truths) -> Parameters:
    """Return the matrices that make each condition's log loss smallest."""
    return fit_scaling(spec, book, truths, np.array([1.0, spec.mixing]))


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, NDArray[np.float64]]:
    """Return {target: (n, grades)} by the learnt matrices."""
    return apply_scaling(spec, book, learnt)
