"""Which slices of a stack are taken, and in which slots they stand.

Works on the number of slices and their distances from a point; pixels and planes are not known
here. All choices are the same, read backwards, for the mirrored patient.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from overread.shelf import Spec

__all__ = [
    "SliceSpec",
    "central_slices",
    "fill_slots",
    "nearest_slices",
    "resample_slices",
    "side_slices",
]

Indices = NDArray[np.int64]
# Tells which of two equally near slices wins: must not depend on left and right.
Tie = Callable[[int, int], int]
TIE_MM = 1e-6


class SliceSpec(Spec):
    """Which slices a view takes.

    Attributes:
        count: S, the number of slots.
        pick: "all" of the stack; "central" share of it; "level": those that belong to the site
            (axial), the nearest to the point if more than S; "nearest" to the point.
        fraction: the share that "central" keeps, about the middle.
        within_mm: slices farther from the point are not taken, whatever the pick; None = any.
        fill: what happens when there are fewer slices than slots: "repeat" (indices
            round(linspace(0, n - 1, S)), as published) or "mask" (slots stay empty).
        merge: whether the slices of all series of a role are put together. None: in axial views
            yes, since each series may cover other discs; else the series that shows the point
            and has most slices.
        as_published: the spread is round(linspace(...)) with halves to even, also over the slices
            of a level of which there are more than slots. Such a choice is not always the same for
            the mirrored patient.
    """

    count: int = Field(gt=0)
    pick: Literal["all", "central", "level", "nearest"] = "all"
    fraction: float = Field(default=0.5, gt=0, le=1)
    within_mm: float | None = Field(default=None, gt=0)
    fill: Literal["repeat", "mask"] = "repeat"
    merge: bool | None = None
    as_published: bool = False

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the fields that came later and change nothing at their default."""
        return frozenset({"as_published"})


def central_slices(num: int, fraction: float) -> Indices:
    """Return the indices of the central share of n slices; one at least.

    Example:
        >>> central_slices(8, 0.5)
        array([2, 3, 4, 5])
    """
    cut = math.floor((1 - fraction) / 2 * num + 1e-9)
    return np.arange(num)[cut : num - cut] if num > 2 * cut else np.arange(num)


def nearest_slices(offsets: ArrayLike, count: int, tie: Tie) -> Indices:
    """Return the indices of the `count` slices nearest to the point, in the order given.

    Args:
        offsets: (n,) mm, signed distance of each slice from the point.
        count: how many are wanted; all are returned when there are fewer.
        tie: picks one of two slices that are equally near.
    """
    distance = np.round(np.abs(np.asarray(offsets, np.float64)) / TIE_MM) * TIE_MM
    order = np.argsort(distance, kind="stable")
    if len(order) <= count:
        return np.sort(order)
    last, rival = int(order[count - 1]), int(order[count])
    if distance[last] == distance[rival] and tie(last, rival) == rival:
        order[count - 1] = rival
    return np.sort(order[:count])


def resample_slices(num: int, count: int, tie: Tie | None = None) -> Indices:
    """Return the indices of `count` slices spread evenly over n, repeated or left out.

    Without `tie` this is round(linspace(0, n - 1, count)), halves to even, as published. With it
    the choice is symmetric: the second half mirrors the first, and where the middle falls between
    two slices `tie` picks one.

    Example:
        >>> resample_slices(3, 5)
        array([0, 0, 1, 2, 2])
    """
    even = np.round(np.linspace(0, num - 1, count)).astype(np.int64)
    if tie is None:
        return even
    if count == 1:
        even[0] = (num - 1) // 2
    half = count // 2
    even[count - half :] = num - 1 - even[:half][::-1]
    if count % 2 and num % 2 == 0:
        even[half] = tie(num // 2 - 1, num // 2)
    return even


def side_slices(num: int, share: float, spec: SliceSpec) -> list[int | None]:
    """Return what stands in the slots of both sides: those of the first side, then of the last.

    Each side is the share of the slices at its edge, rounded up, spread over `count` slots from its
    edge inwards, so that the other side is always the same read backwards.

    Example:
        >>> side_slices(5, 0.5, SliceSpec(count=2))
        [0, 2, 2, 4]
    """
    near = min(math.ceil(share * num - 1e-9), num)
    first: list[int | None] = [int(index) for index in resample_slices(near, spec.count)]
    if spec.fill == "mask" and near < spec.count:
        first = [*range(near), *[None] * (spec.count - near)]
    return first + [None if index is None else num - 1 - index for index in reversed(first)]


def fill_slots(
    chosen: Sequence[int] | Indices, offsets: ArrayLike, count: int, tie: Tie
) -> list[int | None]:
    """Return what stands in each of `count` slots when fewer slices exist: None is empty.

    The slices stand in the middle; of an odd number of empty slots the one more is on the side
    where the slices end nearer to the point. (A lone slice exactly at the point has no such side.)
    """
    taken = [int(index) for index in chosen]
    spare = count - len(taken)
    before = spare // 2
    if spare % 2 and taken:
        distance = np.asarray(offsets, np.float64)[taken]
        lean = float(distance[0] + distance[-1])
        if abs(lean) <= TIE_MM:
            before += tie(taken[0], taken[-1]) == taken[0]
        else:
            before += lean > 0
    return [None] * before + list(taken) + [None] * (spare - before)
