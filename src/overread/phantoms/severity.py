"""Draws how ill a spine is: 25 correlated latent severities, and the grades that follow from them.

The model is a Gaussian copula with a Kronecker correlation (conditions x levels).
Its constants are rounded aggregate statistics of the public RSNA 2024 label table.
It knows nothing about anatomy: `anatomy` turns severities into millimetres.
"""

from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

CONDITIONS = (
    "spinal_canal_stenosis",
    "left_neural_foraminal_narrowing",
    "right_neural_foraminal_narrowing",
    "left_subarticular_stenosis",
    "right_subarticular_stenosis",
)
LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
GRADES = ("Normal/Mild", "Moderate", "Severe")
MIRROR_ORDER = (0, 2, 1, 4, 3)  # conditions after left and right are exchanged

# Tetrachoric correlations between conditions at one level, rounded.
_BETWEEN_CONDITIONS = np.array(
    [
        [1.00, 0.50, 0.50, 0.74, 0.74],
        [0.50, 1.00, 0.53, 0.54, 0.52],
        [0.50, 0.53, 1.00, 0.52, 0.54],
        [0.74, 0.54, 0.52, 1.00, 0.68],
        [0.74, 0.52, 0.54, 0.68, 1.00],
    ]
)
# Correlation of one condition with itself 0, 1, ... 4 levels away, rounded.
_BETWEEN_LEVELS = (1.00, 0.66, 0.47, 0.32, 0.24)
# Share of grades that are not normal, and share that are severe: (canal, foramen, recess) x level.
_NOT_NORMAL = np.array(
    [
        [0.045, 0.106, 0.181, 0.248, 0.038],
        [0.035, 0.091, 0.230, 0.383, 0.360],
        [0.072, 0.172, 0.331, 0.546, 0.292],
    ]
)
_SEVERE = np.array(
    [
        [0.010, 0.028, 0.068, 0.127, 0.011],
        [0.004, 0.005, 0.021, 0.066, 0.100],
        [0.014, 0.041, 0.103, 0.237, 0.080],
    ]
)
_KIND_OF_CONDITION = (0, 1, 1, 2, 2)
# Depth (0 healthy, 1 closed) at the borders of the three grades.
_DEPTH_BORDERS = (0.0, 1 / 3, 2 / 3, 1.0)
# Studies whose axial series does not reach the upper discs: their recesses stay ungraded.
_AXIAL_STARTS_BELOW_L1 = 0.083
_AXIAL_STARTS_BELOW_L2 = 0.042
_STRAY_MISSING = 0.002


@dataclass(frozen=True)
class Severity:
    """What is wrong with one spine; every array is (condition, level).

    Attributes:
        latent: standard normal, correlated.
        grade: 0 normal or mild, 1 moderate, 2 severe; never missing.
        depth: 0 (healthy) to 1 (closed); thirds belong to the grades.
        missing: True where the label table leaves the grade empty.
        first_axial_level: the uppermost level that the axial series covers.
    """

    latent: NDArray[np.float64]
    grade: NDArray[np.int64]
    depth: NDArray[np.float64]
    missing: NDArray[np.bool_]
    first_axial_level: int


def class_shares() -> NDArray[np.float64]:
    """Return the shares of the three grades that the model aims at, (condition, level, grade)."""
    worse = _NOT_NORMAL[list(_KIND_OF_CONDITION)]
    severe = _SEVERE[list(_KIND_OF_CONDITION)]
    return np.stack([1 - worse, worse - severe, severe], axis=-1)


def draw_severity(rng: np.random.Generator) -> Severity:
    """Draw the severities of one person from the copula."""
    lags = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    across_levels = np.linalg.cholesky(np.asarray(_BETWEEN_LEVELS)[lags])
    across_conditions = np.linalg.cholesky(_BETWEEN_CONDITIONS)
    latent = across_conditions @ rng.standard_normal((5, 5)) @ across_levels.T
    grade, depth = _grade(latent)
    reach = rng.random()
    first = 2 if reach < _AXIAL_STARTS_BELOW_L2 else 1 if reach < _AXIAL_STARTS_BELOW_L1 else 0
    missing = rng.random((5, 5)) < _STRAY_MISSING
    missing[3:, :first] = True
    return Severity(latent, grade, depth, missing, first)


def _grade(latent: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cut latents into grades, and spread each grade over its third of the depth scale."""
    quantile = np.vectorize(lambda z: 0.5 * (1 + erf(z / sqrt(2))))(latent)
    shares = class_shares()
    edges = np.concatenate([np.zeros((5, 5, 1)), np.cumsum(shares, axis=-1)], axis=-1)
    edges[..., -1] = 1.0
    grade = (quantile[..., None] > edges[..., 1:3]).sum(axis=-1)
    low = np.take_along_axis(edges, grade[..., None], -1)[..., 0]
    high = np.take_along_axis(edges, grade[..., None] + 1, -1)[..., 0]
    within = (quantile - low) / (high - low)
    # Most of the healthy are clearly healthy; the other grades fill their third evenly.
    within = np.where(grade == 0, within**1.6, within)
    borders = np.asarray(_DEPTH_BORDERS)
    return grade, borders[grade] + within * (borders[grade + 1] - borders[grade])
