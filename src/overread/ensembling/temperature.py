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
from overread.ensembling import mean
from overread.ensembling.joining import Parameters, Sheet

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


def fit(spec: Spec, sheet: Sheet, truth: Floats) -> Parameters:
    """Return {"temperature.<target>": (1,)} that makes the log loss smallest.

    Args:
        spec: settings.
        sheet: answers of the members.
        truth: (n, grades); NaN where not graded.
    """
    graded = np.isfinite(truth).all(axis=1)
    chosen = 1.0
    if graded.sum() >= spec.fewest:
        logits = _logits(spec, sheet)[graded]
        weight = np.array(sheet.target.weights) if spec.weighted else 1.0
        parts = truth[graded] * weight

        def loss(log_temperature: float) -> float:
            return float(-(parts * _log_softmax(logits / np.exp(log_temperature))).sum())

        bounds = (float(np.log(spec.low)), float(np.log(spec.high)))
        best = minimize_scalar(loss, bounds=bounds, method="bounded")
        chosen = float(np.exp(best.x))
    return {_key(sheet): np.array([chosen])}


def apply(spec: Spec, sheet: Sheet, learnt: Parameters) -> Floats:
    """Return the (n, grades) probabilities at the learnt temperature (1 for unknown targets)."""
    temperature = float(learnt.get(_key(sheet), np.ones(1))[0])
    return np.asarray(np.exp(_log_softmax(_logits(spec, sheet) / temperature)))


def _key(sheet: Sheet) -> str:
    return f"temperature.{sheet.target.name}"


def _logits(spec: Spec, sheet: Sheet) -> Floats:
    joined = mean.apply(mean.Spec(weights=spec.weights), sheet, {})
    return np.asarray(np.log(np.maximum(joined, spec.floor)))


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
