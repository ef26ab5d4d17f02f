"""Which disc an axial slice belongs to.

The rule of the RSNA 2024 lumbar 3rd-place system (section 2.6 of its description): the polyline
through the middles of neighbouring discs is cut into one segment a disc, and a slice belongs to
the first segment that its infinite plane crosses. Pixels are not known here.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overread.records import Keypoints, Planes

__all__ = ["assign_levels", "crosses_segments", "level_polyline", "names_with_gaps"]

Floats = NDArray[np.float64]
# Half the height of a disc's territory when its neighbours are unknown, mm.
LONE_HALF_MM = 17.5


def level_polyline(points: ArrayLike) -> Floats:
    """Return the ends of the territories of discs in order, (n + 1, 3) mm.

    Between two discs the territory ends half way; above the first and below the last it ends as
    far from the disc as on the other side. A single disc owns 35 mm along the body.

    Args:
        points: (n, 3) mm, the disc centres from head to feet.
    """
    discs = np.asarray(points, np.float64).reshape(-1, 3)
    if len(discs) == 1:
        half = np.array([[0.0, 0.0, LONE_HALF_MM]])
        return np.concatenate([discs + half, discs - half])
    middles = (discs[:-1] + discs[1:]) / 2
    top = 2 * discs[:1] - middles[:1]
    bottom = 2 * discs[-1:] - middles[-1:]
    return np.concatenate([top, middles, bottom])


def crosses_segments(
    points: ArrayLike, normals: ArrayLike, starts: ArrayLike, ends: ArrayLike
) -> NDArray[np.bool_]:
    """Tell which infinite planes cross which segments, ends included.

    A plane parallel to a segment crosses it only if it holds the segment's start exactly.

    Args:
        points: (n, 3) a point of each plane.
        normals: (n, 3) of any length.
        starts: (m, 3) where each segment starts.
        ends: (m, 3) where each segment ends.

    Returns:
        (n, m).
    """
    point, normal, start, end = (
        np.asarray(value, np.float64).reshape(-1, 3) for value in (points, normals, starts, ends)
    )
    height = np.einsum("ni,ni->n", normal, point)[:, None] - normal @ start.T
    length = normal @ (end - start).T
    parallel = length == 0
    share = np.divide(height, length, out=np.full_like(height, -1.0), where=~parallel)
    hits: NDArray[np.bool_] = np.where(parallel, height == 0, (share >= 0) & (share <= 1))
    return hits


def assign_levels(points: Keypoints, planes: Planes, *, levels: Sequence[str]) -> list[str | None]:
    """Return the level of each slice, or None where it crosses none.

    Args:
        points: disc centres; names among `levels` count. A missing disc between two known ones is
            put in by interpolation, so that its neighbours do not swallow its slices; missing
            discs at the ends own no slices.
        planes: of the slices; series and stacks may be joined in any order.
        levels: all names, from head to feet.
    """
    known = [i for i, name in enumerate(levels) if name in points.names]
    if not known or not len(planes):
        return [None] * len(planes)
    span = np.arange(known[0], known[-1] + 1)
    found = points.ordered(levels).points
    filled = np.stack([np.interp(span, known, found[:, axis]) for axis in range(3)], 1)
    ends = level_polyline(filled)
    hits = crosses_segments(planes.origin, planes.normal, ends[:-1], ends[1:])
    first = hits.argmax(axis=1)
    return [
        levels[span[index]] if hits[slice_, index] else None for slice_, index in enumerate(first)
    ]


def names_with_gaps(points: Keypoints) -> tuple[str, ...]:
    """Return the names of a chain in order, with fillers where discs seem to be missing.

    A step of 1.5 times the median or more holds missing discs; as `levels` of `assign_levels` the
    names keep the neighbours from swallowing their slices.
    """
    steps = np.linalg.norm(np.diff(points.points, axis=0), axis=1)
    if len(steps) < 2 or not np.median(steps) > 0:
        return points.names
    names = list(points.names[:1])
    missing = np.maximum(np.floor(steps / np.median(steps) + 0.5).astype(int) - 1, 0)
    for name, count in zip(points.names[1:], missing, strict=True):
        names += [f"between {names[-1]} and {name}, {i}" for i in range(count)]
        names.append(name)
    return tuple(names)
