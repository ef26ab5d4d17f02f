"""Softmax regression on an offset, with a penalty for each entry of the matrix.

Logits = offset + features @ matrix. A penalty draws an entry to 0, so with the mean of the members
as offset every joiner that uses this shrinks towards that mean. Knows no members and no targets.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

__all__ = ["fit_softmax", "log_softmax"]

Floats = NDArray[np.float64]


def fit_softmax(
    features: Floats, offset: Floats, parts: Floats, penalty: Floats, *, steps: int = 200
) -> Floats:
    """Return the (features, grades) matrix of smallest penalised mean loss.

    The loss is -sum(parts * log p) / sum(parts) + sum(penalty * matrix ** 2) / 2, found by L-BFGS
    from the matrix of zeros. It is convex, so the start does not matter.

    Args:
        features: (n, features).
        offset: (n, grades) logits to start from.
        parts: (n, grades) truth times weights; a row of a one-hot truth has one entry.
        penalty: (features, grades), 0 or more; infinite where the entry stays 0.
        steps: at most so many iterations.
    """
    free = np.isfinite(penalty)
    draw = np.where(free, penalty, 0.0)
    parts = parts / parts.sum()
    row = parts.sum(axis=1, keepdims=True)

    def loss(values: Floats) -> tuple[float, Floats]:
        matrix = np.zeros(penalty.shape)
        matrix[free] = values
        logs = log_softmax(offset + features @ matrix)
        slope = features.T @ (row * np.exp(logs) - parts) + draw * matrix
        return float(-(parts * logs).sum() + (draw * matrix**2).sum() / 2), slope[free]

    found = minimize(
        loss, np.zeros(int(free.sum())), jac=True, method="L-BFGS-B", options={"maxiter": steps}
    )
    matrix = np.zeros(penalty.shape)
    matrix[free] = found.x
    return matrix


def log_softmax(logits: Floats) -> Floats:
    """Return the logarithms of the softmax over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
