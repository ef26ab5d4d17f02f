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

Parts = list[tuple[str | None, list[FrameHeader]]]


def split_repeats(frames: Sequence[FrameHeader], along: NDArray[np.float64]) -> Parts:
    """Split parallel frames so that no position occurs twice in a part.

    Args:
        frames: of one direction.
        along: (n,) mm along the normal.

    Returns:
        (trait that sets the part apart, frames); the trait is None when nothing was split, and
        "order" when only the order of acquisition tells the repetitions apart.
    """
    slots = _slots(along)
    if Counter(slots).most_common(1)[0][1] == 1:
        return _split_interleaved(frames, along)
    parts = _split(list(zip(frames, slots, strict=True)))
    return [(trait, [frame for frame, _ in part]) for trait, part in parts]


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


def _split(
    pairs: list[tuple[FrameHeader, int]],
) -> list[tuple[str | None, list[tuple[FrameHeader, int]]]]:
    times = _most(pairs)
    if times == 1:
        return [(None, pairs)]
    for trait in TRAITS:
        groups: dict[object, list[tuple[FrameHeader, int]]] = defaultdict(list)
        for pair in pairs:
            groups[pair[0].traits.get(trait)].append(pair)
        # More groups than repetitions: a trait that changes from slice to slice explains nothing.
        if not 2 <= len(groups) <= 2 * times or max(map(_most, groups.values())) == times:
            continue
        ordered = sorted(groups.items(), key=lambda item: _sort_key(item[0]))
        return [(inner or trait, part) for _, group in ordered for inner, part in _split(group)]
    return [("order", part) for part in _by_order(pairs)]


def _most(pairs: Sequence[tuple[FrameHeader, int]]) -> int:
    return Counter(slot for _, slot in pairs).most_common(1)[0][1]


def _sort_key(value: object) -> tuple[int, float, str]:
    if value is None:
        return 0, 0.0, ""
    if isinstance(value, (int, float)):
        return 1, float(value), ""
    return 2, 0.0, str(value)


def _by_order(pairs: list[tuple[FrameHeader, int]]) -> list[list[tuple[FrameHeader, int]]]:
    """Give the first frame of each position to the first part, the second to the second."""
    parts: dict[int, list[tuple[FrameHeader, int]]] = defaultdict(list)
    seen: Counter[int] = Counter()
    for pair in sorted(pairs, key=lambda pair: _moment(pair[0])):
        parts[seen[pair[1]]].append(pair)
        seen[pair[1]] += 1
    return [parts[k] for k in sorted(parts)]


def _moment(frame: FrameHeader) -> tuple[float, str, float, int]:
    number = frame.traits.get("AcquisitionNumber")
    time = frame.traits.get("AcquisitionTime")
    return float(number or 0), str(time or ""), frame.instance, frame.index


def _split_interleaved(frames: Sequence[FrameHeader], along: NDArray[np.float64]) -> Parts:
    """Tell apart acquisitions that lie between one another without hitting the same places."""
    if is_regular(along):
        return [(None, list(frames))]
    for trait in INTERLEAVED:
        values = [frame.traits.get(trait) for frame in frames]
        groups = {
            value: [i for i, other in enumerate(values) if other == value] for value in set(values)
        }
        if not 2 <= len(groups) <= 4 or min(map(len, groups.values())) < 3:
            continue
        ranges = [(along[index].min(), along[index].max()) for index in groups.values()]
        overlap = max(low for low, _ in ranges) < min(high for _, high in ranges)
        if overlap and all(is_regular(along[index]) for index in groups.values()):
            ordered = sorted(groups.items(), key=lambda item: _sort_key(item[0]))
            return [(trait, [frames[i] for i in index]) for _, index in ordered]
    return [(None, list(frames))]
