"""From maps to points in world millimetres, and which of them to believe.

Networks and slices are not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.imaging import cells_to_pixels, check_chain, decode_heatmaps
from overread.inference.locator import LocatorSpec
from overread.records import Keypoints, Planes

__all__ = ["PointSet", "average_points", "decode_points", "plausible"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PointSet:
    """What one group of inputs says.

    Attributes:
        names: of the points.
        points: (n, 3) world mm.
        confidence: (n,) 0 to 1.
    """

    names: tuple[str, ...]
    points: Floats
    confidence: Floats


def decode_points(
    spec: LocatorSpec, names: tuple[str, ...], planes: Planes, maps: NDArray[np.float32]
) -> PointSet:
    """Return the points that the mean of some maps shows.

    Args:
        spec: the locator.
        names: (K,) of the points.
        planes: (n) of the inputs; the points are the mean of their places on all of them, so that
            two central slices give a point between them.
        maps: (n, K, h, w) probabilities.
    """
    mean = maps.mean(axis=0)
    cells, confidence = decode_heatmaps(mean, method=spec.decode.method, radius=spec.heat.radius)
    stride = spec.pixels[0] // maps.shape[-2]
    pixels = cells_to_pixels(cells, stride)
    each = [planes.to_world(np.full(len(names), index), pixels) for index in range(len(planes))]
    return PointSet(names, np.mean(each, axis=0), confidence)


def average_points(order: Sequence[str], found: Sequence[PointSet]) -> PointSet:
    """Join what groups say: points of one name are averaged in mm, weighted by confidence.

    Args:
        order: of the names in the result.
        found: one a group (a series, or a level).
    """
    names, points, confidence = [], [], []
    for name in order:
        having = [(one, one.names.index(name)) for one in found if name in one.names]
        if not having:
            continue
        sure = np.array([one.confidence[index] for one, index in having])
        places = np.array([one.points[index] for one, index in having])
        weight = sure if sure.sum() > 0 else np.ones(len(sure))
        names.append(name)
        points.append(weight @ places / weight.sum())
        confidence.append(float(weight @ sure / weight.sum()))
    return PointSet(tuple(names), np.array(points).reshape(-1, 3), np.array(confidence))


def plausible(spec: LocatorSpec, found: PointSet, *, fold: int | None) -> Keypoints:
    """Return the points that are sure enough, and treat those that break the chain."""
    sure = found.confidence >= spec.decode.min_confidence
    points = Keypoints(
        tuple(name for name, keep in zip(found.names, sure, strict=True) if keep),
        found.points[sure],
        np.clip(found.confidence[sure], 0, 1),
        "network",
        fold,
    )
    if spec.chain is None or len(points.names) < 2:
        return points
    report = check_chain(points, spec.chain, names=spec.points)
    return _treated(spec, points, np.array(report.plausible))


def _treated(spec: LocatorSpec, points: Keypoints, good: NDArray[np.bool_]) -> Keypoints:
    """Drop, mend or doubt the points that are not good; `points` are in chain order."""
    names, places = points.names, points.points.copy()
    confidence = np.where(good, points.confidence, points.confidence / 2)
    if spec.decode.implausible == "mend":
        ranks = np.array([spec.points.index(name) for name in names])
        known = ranks[good]
        for index in np.flatnonzero(~good):
            if known.size and known.min() < ranks[index] < known.max():
                places[index] = [
                    np.interp(ranks[index], known, points.points[good, axis]) for axis in range(3)
                ]
    kept = good if spec.decode.implausible == "drop" else np.ones_like(good)
    return Keypoints(
        tuple(name for name, keep in zip(names, kept, strict=True) if keep),
        places[kept],
        confidence[kept],
        points.source,
        points.fold,
    )
