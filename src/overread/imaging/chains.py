"""Is a chain of points along the body plausible? Order, spacing, smoothness.

Works for the five named lumbar discs and for up to nine or more; pixels are not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread.imaging.curves import chain_spacing
from overread.records import Keypoints
from overread.shelf import Spec

__all__ = ["ChainReport", "ChainSpec", "check_chain"]

Floats = NDArray[np.float64]
Reason = Literal["order", "too_near", "too_far", "off_curve", "unsure"]


class ChainSpec(Spec):
    """What a plausible chain looks like.

    Attributes:
        min_mm: least distance of neighbouring points.
        max_mm: greatest distance of neighbouring points; of points with missing ones between
            them, for each step.
        max_off: greatest distance of a point from the line between its neighbours, as a share of
            their distance.
        min_confidence: below it a point is not trusted, whatever its place.
    """

    min_mm: float = Field(default=15.0, ge=0)
    max_mm: float = Field(default=60.0, gt=0)
    max_off: float = Field(default=0.35, gt=0)
    min_confidence: float = Field(default=0.1, ge=0, le=1)


@dataclass(frozen=True)
class ChainReport:
    """What check_chain found.

    Attributes:
        names: of the points, in chain order.
        reasons: what is wrong with each point; empty = plausible.
        spacing_mm: mean distance of each point to its neighbours; None where it has none.
    """

    names: tuple[str, ...]
    reasons: tuple[tuple[Reason, ...], ...]
    spacing_mm: tuple[float | None, ...]

    @property
    def plausible(self) -> tuple[bool, ...]:
        """Whether each point is plausible."""
        return tuple(not reasons for reasons in self.reasons)

    @property
    def whole(self) -> bool:
        """Whether all points are plausible, and there is one at least."""
        return bool(self.names) and all(self.plausible)


def check_chain(
    points: Keypoints, spec: ChainSpec, *, names: Sequence[str] | None = None
) -> ChainReport:
    """Return which points of a chain from head to feet are implausible, and why.

    A wrong distance is laid to that one of the two points without which the rest of the chain has
    fewer faults, then evener steps; to both when that does not tell them apart.

    Args:
        points: mm, in any order.
        names: all names of the chain from head to feet, so that steps over missing points are
            known; the points' own order when None.
        spec: the limits.
    """
    order = tuple(names or points.names)
    chain = points.ordered(order)
    ranks = np.array([order.index(name) for name in chain.names], np.int64)
    keep = chain.confidence >= spec.min_confidence
    reasons: list[set[Reason]] = [set() if sure else {"unsure"} for sure in keep]
    index = [int(i) for i in np.flatnonzero(keep)]
    for _ in range(len(index)):
        faults = _faults(chain.points[index], ranks[index], spec)
        if not faults:
            break
        blamed = _blame(chain.points, ranks, index, spec)
        for place in blamed:
            reasons[place] |= {why for a, b, why in faults if place in (index[a], index[b])}
        index = [i for i in index if i not in blamed]
    spacing = tuple(chain_spacing(chain.points, i) for i in range(len(chain.names)))
    return ChainReport(chain.names, tuple(tuple(sorted(why)) for why in reasons), spacing)


def _faults(
    points: Floats, ranks: NDArray[np.int64], spec: ChainSpec
) -> list[tuple[int, int, Reason]]:
    """Return (point, other point, reason) for each breach."""
    faults: list[tuple[int, int, Reason]] = []
    for i in range(len(points) - 1):
        steps = int(ranks[i + 1] - ranks[i])
        distance = float(np.linalg.norm(points[i + 1] - points[i]))
        if points[i + 1, 2] >= points[i, 2]:
            faults.append((i, i + 1, "order"))
        if distance < spec.min_mm * steps:
            faults.append((i, i + 1, "too_near"))
        if distance > spec.max_mm * steps:
            faults.append((i, i + 1, "too_far"))
    for i in range(1, len(points) - 1):
        line = points[i + 1] - points[i - 1]
        length = float(np.linalg.norm(line))
        share = (points[i] - points[i - 1]) @ line / max(length * length, 1e-9)
        off = np.linalg.norm(points[i] - points[i - 1] - np.clip(share, 0, 1) * line)
        if off > spec.max_off * length:
            faults.append((i, i, "off_curve"))
    return faults


def _blame(
    points: Floats, ranks: NDArray[np.int64], index: list[int], spec: ChainSpec
) -> list[int]:
    """Return the point without which the rest has the fewest faults, then the evenest steps."""
    before = len(_faults(points[index], ranks[index], spec))
    left = {}
    for gone in index:
        rest = [i for i in index if i != gone]
        left[gone] = (
            len(_faults(points[rest], ranks[rest], spec)),
            _unevenness(points, ranks, rest),
        )
    fewest = min(count for count, _ in left.values())
    if fewest >= before:
        return list(index)
    ties = {place: uneven for place, (count, uneven) in left.items() if count == fewest}
    return [place for place, uneven in ties.items() if uneven <= min(ties.values()) + 0.01]


def _unevenness(points: Floats, ranks: NDArray[np.int64], index: list[int]) -> float:
    """Return the spread of the steps between neighbours, as a share of their mean."""
    if len(index) < 3:
        return 0.0
    steps = np.linalg.norm(np.diff(points[index], axis=0), axis=1) / np.diff(ranks[index])
    return float(steps.std() / max(float(steps.mean()), 1e-9))
