"""Copies of one image: set aside, with a finding each.

Two frames are copies when UID and place agree, or when place, times and pixel bytes agree.
Pixel bytes are read only where everything else agrees already.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from overread.imaging.reading.findings import Findings
from overread.imaging.reading.frames import FrameHeader
from overread.imaging.reading.header import Header

__all__ = ["set_duplicates_aside"]


def set_duplicates_aside(
    frames: Sequence[FrameHeader], study: str, series: str, findings: Findings
) -> list[FrameHeader]:
    """Return the frames of a series without copies; the first by path is kept.

    A copy may have another InstanceNumber and another SOPInstanceUID: exports renumber.
    """
    originals: dict[int, FrameHeader] = {}
    for group in _crowded(frames, lambda frame: frame.sop_uid):
        originals |= _copies(group, _place)
    left = [frame for frame in frames if id(frame) not in originals]
    pixels = _place_and_pixels()
    for near in _crowded(left, lambda frame: (frame.position, frame.index)):
        for group in _crowded(near, _place):
            if _may_hold_copies(group):
                originals |= _copies(group, pixels)
    for frame in frames:
        if id(frame) in originals and frame.index == 0:
            original = findings.relative(originals[id(frame)].header.path)
            findings.add(
                "duplicate",
                f"a copy of {original}",
                file=frame.header.path,
                study=study,
                series=series,
            )
    kept = [frame for frame in frames if id(frame) not in originals]
    _note_repeated_uids(kept, study, series, findings)
    return kept


def _grouped(
    frames: Sequence[FrameHeader], key: Callable[[FrameHeader], Hashable]
) -> dict[Hashable, list[FrameHeader]]:
    groups: dict[Hashable, list[FrameHeader]] = defaultdict(list)
    for frame in frames:
        groups[key(frame)].append(frame)
    return groups


def _crowded(
    frames: Sequence[FrameHeader], key: Callable[[FrameHeader], Hashable]
) -> list[list[FrameHeader]]:
    """Return the groups of several frames; in most series there is none."""
    return [group for group in _grouped(frames, key).values() if len(group) > 1]


def _copies(
    frames: Sequence[FrameHeader], key: Callable[[FrameHeader], Hashable]
) -> dict[int, FrameHeader]:
    """Return {id of a copy: its original}."""
    groups = _grouped(frames, key).values()
    return {id(copy): group[0] for group in groups for copy in group[1:]}


def _place(frame: FrameHeader) -> Hashable:
    traits = frozenset(frame.traits.items())
    return frame.position, frame.orientation, frame.size, frame.index, traits


def _may_hold_copies(group: Sequence[FrameHeader]) -> bool:
    """Tell whether frames of one place come from several files of equally many bytes."""
    files = {frame.header.path for frame in group}
    return len(files) > 1 and group[0].position is not None


def _place_and_pixels() -> Callable[[FrameHeader], Hashable]:
    digests: dict[str, Hashable] = {}

    def key(frame: FrameHeader) -> Hashable:
        name = str(frame.header.path)
        if name not in digests:
            digests[name] = _digest(frame.header)
        return _place(frame), frame.header.elements.syntax, digests[name]

    return key


def _digest(header: Header) -> Hashable:
    try:
        with header.path.open("rb") as file:
            file.seek(header.elements.pixel_offset)
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return str(header.path)  # equal to nothing else


def _note_repeated_uids(
    frames: Sequence[FrameHeader], study: str, series: str, findings: Findings
) -> None:
    first: dict[tuple[str, int], FrameHeader] = {}
    for frame in frames:
        original = first.setdefault((frame.sop_uid, frame.index), frame)
        if original is not frame:
            findings.add(
                "sop_uid_repeated",
                f"the SOPInstanceUID of {findings.relative(original.header.path)}, "
                "but another image",
                file=frame.header.path,
                study=study,
                series=series,
            )
