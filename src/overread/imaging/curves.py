"""The line along the body through a chain of points: its local direction and spacing.

Points are (n, dimensions) in any unit, in order along the body. Names are not known here.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["chain_direction", "chain_spacing", "smoothing_spline", "spline_angle"]

Floats = NDArray[np.float64]
# Residuals below this are reading noise, not outliers (mm).
NOISE = 1.0


def chain_spacing(points: ArrayLike, index: int) -> float | None:
    """Return the mean distance of a point to its neighbours in the chain; None if it has none.

    A distance above 1.5 times the chain's median counts as a gap with a missing point in between,
    and as the median.
    """
    steps = np.linalg.norm(np.diff(np.asarray(points, np.float64), axis=0), axis=1)
    near = steps[max(index - 1, 0) : index + 1]
    if not len(near) or not near.any():
        return None
    median = float(np.median(steps))
    return float(np.where(near > 1.5 * median, median, near).mean())


def chain_direction(points: ArrayLike, index: int) -> Floats | None:
    """Return the unit direction of the chain at a point, towards its end; None if unknown.

    A local quadratic (a line below four points) is fitted over the cumulated length, nearer
    points weigh more, and points far off the curve count little.
    """
    chain = np.asarray(points, np.float64)
    steps = np.linalg.norm(np.diff(chain, axis=0), axis=1)
    if len(chain) < 2 or not (steps > 0).any():
        return None
    along = np.concatenate([[0.0], np.cumsum(steps)])
    scale = float(np.median(steps[steps > 0]))
    place = (along - along[index]) / scale
    powers = np.stack([place**degree for degree in range(3 if len(chain) > 3 else 2)], 1)
    near = np.exp(-0.125 * place**2)
    weight = near
    for _ in range(4):
        fit = _weighted_fit(powers, chain, weight)
        off = np.linalg.norm(chain - powers @ fit, axis=1)
        limit = max(NOISE, 1.5 * float(np.median(off)))
        if off.max() <= limit:
            break
        weight = near * np.minimum(1.0, limit / np.maximum(off, 1e-12))
    length = float(np.linalg.norm(fit[1]))
    return fit[1] / length if length > 1e-9 else None


def _weighted_fit(powers: Floats, values: Floats, weight: Floats) -> Floats:
    root = np.sqrt(weight)[:, None]
    return np.asarray(np.linalg.lstsq(powers * root, values * root, rcond=None)[0])


def smoothing_spline(points_px: ArrayLike, samples: int = 100) -> Floats:
    """Return the published smooth curve through a chain of points, (samples, 2) px.

    Quadratic smoothing splines (factor 1) over the cumulated chord length, as in the RSNA 2024
    lumbar 3rd-place system, crop recipe v11.
    """
    chain = np.asarray(points_px, np.float64)
    along = _chord_lengths(chain)
    return _splined(along, chain, np.linspace(0, along[-1], samples))


def spline_angle(points_px: ArrayLike, point_px: ArrayLike, samples: int = 100) -> float:
    """Return the published angle of the spine at a point, in radians: 0 where it runs down.

    A second pair of splines runs through the samples of the first; their direction at the sample
    nearest to the point counts.

    Args:
        points_px: (n, 2) the chain.
        point_px: (2,) px.
        samples: of the first curve.
    """
    curve = smoothing_spline(points_px, samples)
    along = np.linspace(0, _chord_lengths(np.asarray(points_px, np.float64))[-1], samples)
    index = int(np.linalg.norm(curve - np.asarray(point_px), axis=1).argmin())
    right, down = _splined(along, curve, along[index : index + 1], slope=True)[0]
    return float(np.arctan2(-right * np.sign(down or 1.0), abs(down)))


def _splined(along: Floats, values: Floats, at: Floats, *, slope: bool = False) -> Floats:
    from scipy.interpolate import UnivariateSpline

    curves = [UnivariateSpline(along, values[:, axis], k=2, s=1) for axis in range(2)]
    return np.stack([curve(at, nu=int(slope)) for curve in curves], 1)


def _chord_lengths(chain: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(chain, axis=0), axis=1))])
