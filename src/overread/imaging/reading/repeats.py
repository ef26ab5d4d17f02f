"""Positions that repeat: echoes, phases and second acquisitions become stacks of their own.

Knows only positions along the normal and the traits of frames.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from overread.imaging.reading.frames import FrameHeader

__all__ = ["is_regular", "split_repeats"]

SAME_PLACE_MM = 0.02
# In the order in which they are tried; the first that explains the repetition is taken.
TRAITS = (
    "StackID",
    "EchoTime",
    "EchoNumbers",
    "InversionTime",
    "DiffusionBValue",
    "TemporalPositionIdentifier",
    "AcquisitionNumber",
    "ContrastBolusAgent",
    "ConvolutionKernel",
    "ImageType",
    "FlipAngle",
    "TriggerTime",
    "AcquisitionTime",
)
# These tell acquisitions apart whose positions only nearly repeat.
INTERLEAVED = ("AcquisitionNumber", "EchoTime", "TemporalPositionIdentifier")

Parts = list[tuple[str | None, list[int]]]


def split_repeats(frames: Sequence[FrameHeader], along: NDArray[np.float64]) -> Parts:
    """Split parallel frames so that no position occurs twice in a part.

    Args:
        frames: of one direction.
        along: (n,) mm along the normal.

    Returns:
        (trait that sets the part apart, indices of its frames); the trait is None when nothing was
        split, and "order" when only the order of acquisition tells the repetitions apart.
    """
    slots = _slots(along)
    if max(slots) == len(slots) - 1:
        return _split_interleaved(frames, along)
    return _Splitter(frames, slots).split(list(range(len(frames))))


def is_regular(along: NDArray[np.float64]) -> bool:
    """Tell whether positions are equally spaced, within 5 % of the median step."""
    steps = np.diff(np.sort(along))
    if len(steps) < 2:
        return True
    middle = float(np.median(steps))
    return bool(np.abs(steps - middle).max() <= max(0.05 * middle, SAME_PLACE_MM))


def _slots(along: NDArray[np.float64]) -> list[int]:
    """Number the positions; positions within a fiftieth of a millimetre are the same."""
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    apart = np.concatenate([[0], np.cumsum(steps > SAME_PLACE_MM)])
    slots = np.empty(len(along), np.int64)
    slots[order] = apart
    return [int(slot) for slot in slots]


class _Splitter:
    """Splits frames by their traits until no slot occurs twice in a part."""

    def __init__(self, frames: Sequence[FrameHeader], slots: Sequence[int]) -> None:
        self.frames = frames
        self.slots = slots

    def split(self, members: list[int]) -> Parts:
        times = self.most(members)
        if times == 1:
            return [(None, members)]
        for trait in TRAITS:
            groups = _by_trait(self.frames, members, trait)
            # More groups than repetitions: a trait that changes from slice to slice tells nothing.
            if not 2 <= len(groups) <= 2 * times or max(map(self.most, groups)) == times:
                continue
            return [(inner or trait, part) for group in groups for inner, part in self.split(group)]
        return [("order", part) for part in self.by_order(members)]

    def most(self, members: Sequence[int]) -> int:
        """How often the commonest slot occurs."""
        return max(Counter(self.slots[i] for i in members).values())

    def by_order(self, members: Sequence[int]) -> list[list[int]]:
        """Give the first frame of each position to the first part, the second to the second."""
        parts: dict[int, list[int]] = defaultdict(list)
        seen: Counter[int] = Counter()
        for i in sorted(members, key=lambda i: _moment(self.frames[i])):
            parts[seen[self.slots[i]]].append(i)
            seen[self.slots[i]] += 1
        return [parts[k] for k in sorted(parts)]


def _by_trait(frames: Sequence[FrameHeader], members: Sequence[int], trait: str) -> list[list[int]]:
    """Return the members grouped by a trait, in the order of its values."""
    groups: dict[object, list[int]] = defaultdict(list)
    for i in members:
        groups[frames[i].traits.get(trait)].append(i)
    return [groups[value] for value in sorted(groups, key=_sort_key)]


def _sort_key(value: object) -> tuple[int, float, str]:
    if value is None:
        return 0, 0.0, ""
    if isinstance(value, (int, float)):
        return 1, float(value), ""
    return 2, 0.0, str(value)


def _moment(frame: FrameHeader) -> tuple[float, str, float, int]:
    number = frame.traits.get("AcquisitionNumber")
    time = frame.traits.get("AcquisitionTime")
    return float(number or 0), str(time or ""), frame.instance, frame.index


def _split_interleaved(frames: Sequence[FrameHeader], along: NDArray[np.float64]) -> Parts:
    """Tell apart acquisitions that lie between one another without hitting the same places."""
    everything = list(range(len(frames)))
    if is_regular(along):
        return [(None, everything)]
    for trait in INTERLEAVED:
        groups = _by_trait(frames, everything, trait)
        if not 2 <= len(groups) <= 4:
            continue
        # A single echo time among others is a stranger; acquisitions must be told by more.
        if min(map(len, groups)) < (1 if trait == "EchoTime" else 3):
            continue
        overlap = max(along[group].min() for group in groups) < min(
            along[group].max() for group in groups
        )
        if (overlap or trait == "EchoTime") and all(is_regular(along[g]) for g in groups):
            return [(trait, group) for group in groups]
    return [(None, everything)]
