"""Mean of the members, then one temperature per target, fitted to the weighted log loss.

A temperature above 1 softens, below 1 sharpens; the most probable grade never changes (Guo et al.,
On Calibration of Modern Neural Networks, 2017). Fitted on logits = log of the mean probabilities.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize_scalar

from overread import shelf
from overread.ensembling.mean import mean_of
from overread.ensembling.sheets import Book, Parameters, Sheet, Truths
from overread.ensembling.softmax import log_softmax

__all__ = ["Spec", "apply", "fit"]

Floats = NDArray[np.float64]


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        weights: {member: weight} of the mean; members that are not named weigh 1.
        weighted: fit to the loss with the rubric's weights; else every unit weighs 1.
        low: smallest temperature.
        high: largest temperature.
        fewest: with fewer graded units the temperature stays 1.
        floor: probabilities below count as this.
    """

    weights: Mapping[str, float] = {}
    weighted: bool = True
    low: float = Field(default=0.2, gt=0)
    high: float = Field(default=5.0, gt=0)
    fewest: int = Field(default=20, ge=1)
    floor: float = Field(default=1e-6, gt=0, lt=0.5)


def fit(spec: Spec, book: Book, truths: Truths) -> Parameters:
    """Return {"temperature.<target>": (1,)} that makes each target's log loss smallest."""
    return {_key(sheet): _temperature(spec, sheet, truths[sheet.target.name]) for sheet in book}


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, grades)} at the learnt temperatures (1 for unknown targets)."""
    return {
        sheet.target.name: np.exp(
            log_softmax(_logits(spec, sheet) / float(learnt.get(_key(sheet), np.ones(1))[0]))
        )
        for sheet in book
    }


def _temperature(spec: Spec, sheet: Sheet, truth: Floats) -> Floats:
    graded = np.isfinite(truth).all(axis=1)
    if graded.sum() < spec.fewest:
        return np.ones(1)
    logits = _logits(spec, sheet)[graded]
    parts = truth[graded] * (np.array(sheet.target.weights) if spec.weighted else 1.0)

    def loss(log_temperature: float) -> float:
        return float(-(parts * log_softmax(logits / np.exp(log_temperature))).sum())

    bounds = (float(np.log(spec.low)), float(np.log(spec.high)))
    return np.array([np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)])


def _key(sheet: Sheet) -> str:
    return f"temperature.{sheet.target.name}"


def _logits(spec: Spec, sheet: Sheet) -> Floats:
    return np.asarray(np.log(np.maximum(mean_of(sheet, spec.weights), spec.floor)))
