"""One study, one patient: files of another patient are set aside.

Compares identifiers; never writes one into a finding.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from overread.imaging.reading import tags
from overread.imaging.reading.findings import Findings
from overread.imaging.reading.frames import FrameHeader
from overread.imaging.reading.subjects import pseudonym

__all__ = ["FolderPatients", "set_foreigners_aside", "subject_of"]


def set_foreigners_aside(
    frames: Sequence[FrameHeader], study: str, findings: Findings
) -> list[FrameHeader]:
    """Return the frames of the patient most files of a study belong to.

    Files without a PatientID stay: they contradict nobody.
    """
    counted = Counter(_identity(frame) for frame in frames)
    counted.pop("", None)
    if len(counted) < 2:
        return list(frames)
    owner = max(sorted(counted), key=lambda identity: counted[identity])
    foreign: dict[str, list[FrameHeader]] = defaultdict(list)
    kept = []
    for frame in frames:
        if _identity(frame) in {"", owner}:
            kept.append(frame)
        else:
            foreign[frame.header.uid(tags.SERIES_UID)].append(frame)
    for series, strangers in foreign.items():
        for path in sorted({frame.header.path for frame in strangers}):
            findings.add(
                "patient_differs",
                "another PatientID than the other files of its study; set aside",
                file=path,
                study=study,
                series=series or None,
            )
    return kept


def subject_of(frames: Sequence[FrameHeader], study: str) -> str:
    """Return the pseudonym of the person of a study."""
    named = [frame for frame in frames if _identity(frame)] or list(frames)
    header = named[0].header
    return pseudonym(header.text(tags.PATIENT_ID), header.text(tags.PATIENT_NAME), study)


class FolderPatients:
    """Notes whose files lie in which folder."""

    def __init__(self) -> None:
        self.seen: dict[str, set[str]] = defaultdict(set)

    def add(self, frame: FrameHeader) -> None:
        """Note one frame."""
        self.seen[os.path.dirname(frame.header.path)].add(_identity(frame))  # noqa: PTH120 - many files

    def tell(self, findings: Findings) -> None:
        """Tell each folder whose files belong to several patients."""
        for folder, found in sorted(self.seen.items()):
            if len(found - {""}) > 1:
                words = f"files of {len(found - {''})} patients in one folder"
                findings.add("patients_mixed", words, file=Path(folder))


def _identity(frame: FrameHeader) -> str:
    return frame.header.text(tags.PATIENT_ID).casefold()
