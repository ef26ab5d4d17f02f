"""Softmax regression on an offset, with a penalty for each entry of the matrix.

Logits = offset + features @ matrix. A penalty draws an entry to 0, so with the mean of the members
as offset every joiner that uses this shrinks towards that mean. Knows no members and no targets.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_softmax", "log_softmax"]

Floats = NDArray[np.float64]
JITTER = 1e-9  # the softmax leaves the sum over grades open: without a penalty this closes it
TOLERANCE = 1e-12
HALVINGS = 20


def fit_softmax(
    features: Floats, offset: Floats, parts: Floats, penalty: Floats, *, steps: int = 50
) -> Floats:
    """Return the (features, grades) matrix of smallest penalised mean loss.

    The loss is -sum(parts * log p) / sum(parts) + sum(penalty * matrix ** 2) / 2, found by Newton's
    method from the matrix of zeros. It is convex, so the start does not matter.

    Args:
        features: (n, features).
        offset: (n, grades) logits to start from.
        parts: (n, grades) truth times weights; a row of a one-hot truth has one entry.
        penalty: (features, grades), 0 or more; infinite where the entry stays 0.
        steps: at most so many.
    """
    free = np.flatnonzero(np.isfinite(penalty))
    draw = np.where(np.isfinite(penalty), penalty, 0.0)
    parts = parts / parts.sum()
    row = parts.sum(axis=1, keepdims=True)

    def loss(matrix: Floats) -> tuple[float, Floats]:
        logs = log_softmax(offset + features @ matrix)
        return float(-(parts * logs).sum() + (draw * matrix**2).sum() / 2), np.exp(logs)

    matrix = np.zeros(penalty.shape)
    lowest, chances = loss(matrix)
    for _ in range(steps):
        slope = (features.T @ (row * chances - parts) + draw * matrix).ravel()[free]
        bend = _bend(features, row[:, 0], chances)[np.ix_(free, free)]
        bend[np.diag_indices_from(bend)] += draw.ravel()[free] + JITTER
        step = np.zeros(penalty.size)
        step[free] = np.linalg.solve(bend, slope)
        moved, gain = _downhill(loss, matrix, step.reshape(penalty.shape), lowest)
        if gain < TOLERANCE:
            break
        matrix = moved
        lowest, chances = loss(matrix)
    return matrix


def _bend(features: Floats, row: Floats, chances: Floats) -> Floats:
    """Return the (features * grades, features * grades) second derivative of the mean loss."""
    size, grades = features.shape[1], chances.shape[1]
    bend = np.zeros((size, grades, size, grades))
    for one in range(grades):
        for other in range(one, grades):
            weight = row * chances[:, one] * ((one == other) - chances[:, other])
            block = (features * weight[:, None]).T @ features
            bend[:, one, :, other] = bend[:, other, :, one] = block
    return bend.reshape(size * grades, size * grades)


def _downhill(
    loss: Callable[[Floats], tuple[float, Floats]], matrix: Floats, step: Floats, lowest: float
) -> tuple[Floats, float]:
    """Return the matrix after the step, halved until the loss falls, and by how much it fell."""
    for _ in range(HALVINGS):
        value, _ = loss(matrix - step)
        if value < lowest:
            return matrix - step, lowest - value
        step = step / 2
    return matrix, 0.0


def log_softmax(logits: Floats) -> Floats:
    """Return the logarithms of the softmax over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
