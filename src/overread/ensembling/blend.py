"""Geometric mean of several joiners with equal weights: models that err differently, averaged.

Nothing is chosen, so nothing can be chosen wrongly; `select` is for choosing.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread import shelf
from overread.ensembling.several import apply_each, fit_each
from overread.ensembling.sheets import Book, Parameters, Truths
from overread.ensembling.softmax import log_softmax
from overread.shelf import Named

__all__ = ["Spec", "apply", "fit"]

Floats = NDArray[np.float64]


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        joiners: of this shelf, with their settings; by default one of each kind, from the one with
            the fewest parameters to those with the most.
        floor: probabilities below count as this.
    """

    joiners: tuple[Named, ...] = Field(
        default=(
            Named(use="temperature"),
            Named(use="linear_stack"),
            Named(use="lightgbm_stack"),
            Named(use="metric_network"),
        ),
        min_length=1,
    )
    floor: float = Field(default=1e-9, gt=0, lt=0.5)


def fit(spec: Spec, book: Book, truths: Truths) -> Parameters:
    """Return what each joiner learns."""
    return fit_each(spec.joiners, book, truths)


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, grades)}: the geometric mean of the joiners."""
    answers = apply_each(spec.joiners, book, learnt)
    return {target: _geometric(spec, [one[target] for one in answers]) for target in answers[0]}


def _geometric(spec: Spec, answers: list[Floats]) -> Floats:
    logs = np.mean([np.log(np.maximum(one, spec.floor)) for one in answers], axis=0)
    return np.asarray(np.exp(log_softmax(logs)))
