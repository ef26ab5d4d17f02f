"""Which slices stand beside a slice: offsets along a scan, and what happens at its ends.

Works on places alone; pixels and planes are not known here.
"""

from collections.abc import Sequence
from typing import Literal

__all__ = ["Boundary", "Channel", "neighbours"]

Channel = tuple[int, ...] | Literal["all"]
"""Offsets along the scan, positive to the head, that are averaged; or the whole scan."""
Boundary = Literal["nearest", "self", "blank"]


def neighbours(
    place: int, length: int, offsets: Sequence[int], boundary: Boundary
) -> tuple[int, ...]:
    """Return the places that a channel shows, in a scan of some length; none for a blank one.

    Offsets beyond the ends are left out of a mean; where nothing is left, the boundary decides: the
    "nearest" slice that there is (as published: a missing second neighbour is the first, a missing
    first one the slice itself), the slice it"self", or "blank".

    Example:
        >>> neighbours(0, 32, [-1], "nearest"), neighbours(1, 32, [-3, -2, -1], "nearest")
        ((0,), (0,))
    """
    inside = tuple(place + step for step in offsets if 0 <= place + step < length)
    if inside or boundary == "blank":
        return inside
    if boundary == "self":
        return (place,)
    nearest = min(offsets, key=abs)
    return (min(max(place + nearest, 0), length - 1),)
