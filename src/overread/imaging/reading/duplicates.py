"""Copies of one image: set aside, with a finding each.

Two frames are copies when UID and place agree, or when place, numbers and pixel bytes agree.
Pixel bytes are read only where everything else agrees already.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from overread.imaging.reading.findings import Findings
from overread.imaging.reading.frames import FrameHeader

__all__ = ["set_duplicates_aside"]


def set_duplicates_aside(
    frames: Sequence[FrameHeader], study: str, series: str, findings: Findings
) -> list[FrameHeader]:
    """Return the frames of a series without copies; the first by path is kept."""
    kept = _without_copies(frames, _identity, study, series, findings)
    kept = _without_copies(kept, _place, study, series, findings, same=_same_pixels)
    _note_repeated_uids(kept, study, series, findings)
    return kept


def _without_copies(
    frames: Sequence[FrameHeader],
    key: Callable[[FrameHeader], Hashable],
    study: str,
    series: str,
    findings: Findings,
    *,
    same: Callable[[FrameHeader, FrameHeader], bool] | None = None,
) -> list[FrameHeader]:
    first: dict[Hashable, list[FrameHeader]] = defaultdict(list)
    kept = []
    for frame in frames:
        original = next(
            (o for o in first[key(frame)] if same is None or same(o, frame)),
            None,
        )
        if original is None:
            first[key(frame)].append(frame)
            kept.append(frame)
        elif frame.index == 0 or original.header is frame.header:
            findings.add(
                "duplicate",
                f"a copy of {findings.relative(original.header.path)}",
                file=frame.header.path,
                study=study,
                series=series,
            )
    return kept


def _identity(frame: FrameHeader) -> Hashable:
    return (
        frame.sop_uid,
        frame.index,
        frame.position,
        frame.orientation,
        frame.size,
        tuple(sorted(frame.traits.items(), key=lambda item: item[0])),
    )


def _place(frame: FrameHeader) -> Hashable:
    traits = tuple(sorted(frame.traits.items(), key=lambda item: item[0]))
    return frame.position, frame.orientation, frame.size, frame.index, frame.instance, traits


def _same_pixels(one: FrameHeader, other: FrameHeader) -> bool:
    if one.position is None or one.header is other.header:
        return False
    lengths = {frame.header.elements.pixel_length for frame in (one, other)}
    return len(lengths) == 1 and _pixel_hash(one) == _pixel_hash(other)


def _pixel_hash(frame: FrameHeader) -> bytes:
    elements = frame.header.elements
    try:
        with frame.header.path.open("rb") as file:
            file.seek(elements.pixel_offset)
            data = file.read(elements.pixel_length if elements.pixel_length else -1)
    except OSError:
        return repr(frame.header.path).encode()
    return hashlib.sha256(data).digest()


def _note_repeated_uids(
    frames: Sequence[FrameHeader], study: str, series: str, findings: Findings
) -> None:
    first: dict[tuple[str, int], FrameHeader] = {}
    for frame in frames:
        key = frame.sop_uid, frame.index
        if key in first:
            findings.add(
                "sop_uid_repeated",
                f"the SOPInstanceUID of {findings.relative(first[key].header.path)}, "
                "but another image",
                file=frame.header.path,
                study=study,
                series=series,
            )
        else:
            first[key] = frame
