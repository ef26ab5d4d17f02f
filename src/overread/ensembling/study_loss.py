"""The weighted metric of one condition as a smooth loss of logits, with its slope.

Weighted log loss, and the event "any unit of the study has the worst grade", whose chance is the
largest of the units' chances. The largest is taken softly: the mean of the chances, each weighed by
its own power `sharpness`. Source of the event: the any-severe term of the RSNA 2024 lumbar spine
challenge, with the study weighing as much as its heaviest unit. Knows no parameters.
"""

import numpy as np
from numpy.typing import NDArray

from overread.ensembling.samples import Sample
from overread.ensembling.softmax import log_softmax

__all__ = ["study_loss"]

Floats = NDArray[np.float64]
# Chances of the event are kept this far from 0 and 1.
EDGE = 1e-9


def study_loss(
    units: Sample, logits: Floats, *, event: float, sharpness: float
) -> tuple[float, Floats]:
    """Return the loss and its slope (n, grades) along the logits.

    Args:
        units: the truth.
        logits: (n, grades).
        event: weight of the event; the log loss weighs 1.
        sharpness: of the soft maximum; infinite is the maximum itself.
    """
    logs = log_softmax(logits)
    chances = np.exp(logs)
    parts = units.parts / units.parts.sum()
    loss = -float((parts * logs).sum())
    slope = parts.sum(axis=1, keepdims=True) * chances - parts
    if event:
        above, along = _event(units, logs[:, -1], sharpness)
        loss += event * above
        worst = np.eye(logits.shape[1])[-1]
        slope = slope + event * along[:, None] * (worst - chances)
    return loss, slope


def _event(units: Sample, worst: Floats, sharpness: float) -> tuple[float, Floats]:
    """Return the log loss of the event and its slope along the log chances of the worst grade."""
    study, num = units.study, int(units.study.max()) + 1
    top = np.full(num, -np.inf)
    np.maximum.at(top, study, worst)
    power = np.exp(sharpness * (worst - top[study]))
    share = power / np.bincount(study, power, num)[study]
    chance = np.exp(worst)
    event = np.clip(np.bincount(study, share * chance, num), EDGE, 1 - EDGE)
    happened, weight = np.zeros(num), np.zeros(num)
    np.maximum.at(happened, study, (units.parts.argmax(axis=1) == units.parts.shape[1] - 1) * 1.0)
    np.maximum.at(weight, study, units.parts.sum(axis=1))
    weight = weight / weight.sum()
    loss = -(weight * (happened * np.log(event) + (1 - happened) * np.log1p(-event))).sum()
    along = -weight * (happened / event - (1 - happened) / (1 - event))
    each = share * (chance + sharpness * (chance - event[study]))
    return float(loss), np.asarray(along[study] * each)
