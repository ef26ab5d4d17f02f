"""Draws of subjects, and intervals from them: the same draws serve every number of a table."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["INTERVAL", "interval", "subject_draws", "wilson"]

Floats = NDArray[np.float64]
INTERVAL = (2.5, 97.5)  # percentiles of the replicates
# An interval needs the number to exist in at least this share of the replicates.
ENOUGH = 0.5
Z = 1.959963984540054  # of a 95 % interval


def subject_draws(num_subjects: int, bootstrap: int, seed: int) -> Floats:
    """Return (1 + bootstrap, subjects): first everybody once, then how often each was drawn."""
    chances = np.full(num_subjects, 1 / num_subjects)
    counts = np.random.default_rng(seed).multinomial(num_subjects, chances, size=bootstrap)
    return np.concatenate([np.ones((1, num_subjects)), counts.astype(np.float64)])


def interval(replicates: Floats) -> tuple[float | None, float | None]:
    """Return the 95 % percentile interval; (None, None) where too few replicates are defined."""
    defined = replicates[np.isfinite(replicates)]
    if len(defined) < 2 or len(defined) < ENOUGH * len(replicates):
        return None, None
    low, high = np.percentile(defined, INTERVAL)
    return float(low), float(high)


def wilson(share: Floats, count: Floats | NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the 95 % interval of shares of independent units (Wilson 1927); 0 to 1 of none.

    Args:
        share: (n,) seen.
        count: (n,) units behind each.
    """
    units = np.maximum(np.asarray(count, np.float64), 1e-9)
    share = np.where(units >= 1, share, 0.5)
    square = Z**2 / units
    middle = (share + square / 2) / (1 + square)
    half = Z * np.sqrt(share * (1 - share) / units + square**2 / (4 * Z**2))
    half = half / (1 + square)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
