"""From the frames of all files to studies: who, which study, which series; one study at a time."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from overread.imaging.reading import tags
from overread.imaging.reading.duplicates import set_duplicates_aside
from overread.imaging.reading.findings import Findings
from overread.imaging.reading.frames import FrameHeader
from overread.imaging.reading.patients import set_foreigners_aside, subject_of
from overread.imaging.reading.scan import natural
from overread.imaging.reading.series import build_series
from overread.records import Series, Study

__all__ = ["RoleTable", "collect_studies", "study_uid"]

Key = tuple[str, str]  # StudyInstanceUID, SeriesInstanceUID
UID = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+")


class RoleTable:
    """The table of roles, by series folder or SeriesInstanceUID, and which rows were used."""

    def __init__(self, roles: Mapping[str, str]) -> None:
        self.roles = roles
        self.used: set[str] = set()

    def role_of(self, uid: str, members: Sequence[FrameHeader]) -> str | None:
        """Return the role of a series, or None where the table does not name it."""
        names = (uid, members[0].header.path.parent.name)
        found = next((name for name in names if name in self.roles), None)
        if found is None:
            return None
        self.used.add(found)
        return self.roles[found]

    def tell_unused(self, findings: Findings) -> None:
        """Tell the rows that name no series."""
        for name in sorted(set(self.roles) - self.used):
            words = f'no series is called "{name}", which has a role in the table'
            findings.add("role_unused", words)


def collect_studies(
    frames: Sequence[FrameHeader], roles: RoleTable, findings: Findings
) -> tuple[Study, ...]:
    """Return the studies that frames of any files belong to, sorted by id.

    Studies and series are called by their UIDs; a dataset may name them otherwise.

    Args:
        frames: sorted by path.
        roles: notes which of its rows are used.
        findings: collects what is odd.
    """
    grouped = _group(frames, findings)
    studies = []
    for study, parts in grouped.items():
        built = _build(study, parts, roles, findings)
        if built:
            everything = [frame for members in parts.values() for frame in members]
            studies.append(Study(study, study, subject_of(everything, study), built))
    return tuple(sorted(studies, key=lambda study: natural(study.id)))


def _group(
    frames: Sequence[FrameHeader], findings: Findings
) -> dict[str, dict[str, list[FrameHeader]]]:
    """Return {study uid: {series uid: frames}} without foreign patients."""
    studies: dict[str, list[FrameHeader]] = defaultdict(list)
    for frame in frames:
        studies[study_uid(frame)].append(frame)
    grouped: dict[str, dict[str, list[FrameHeader]]] = {}
    for study, members in studies.items():
        parts: dict[str, list[FrameHeader]] = defaultdict(list)
        for frame in set_foreigners_aside(members, study, findings):
            parts[_series_uid(frame)].append(frame)
        grouped[study] = dict(parts)
    return grouped


def study_uid(frame: FrameHeader) -> str:
    """Return the StudyInstanceUID, or a name by folder where it is missing."""
    written = frame.header.uid(tags.STUDY_UID)
    return written or f"no-study-uid-{frame.header.path.parent.name}"


def _series_uid(frame: FrameHeader) -> str:
    written = frame.header.uid(tags.SERIES_UID)
    return written or f"no-series-uid-{frame.header.path.parent.name}"


def _build(
    study: str,
    parts: Mapping[str, list[FrameHeader]],
    table: RoleTable,
    findings: Findings,
) -> tuple[Series, ...]:
    built = []
    for uid, members in parts.items():
        _check_uids(members, study, uid, findings)
        kept = set_duplicates_aside(members, study, uid, findings)
        series = build_series(kept, study, uid, table.role_of(uid, members), findings)
        if series:
            built.append(series)
    return tuple(sorted(built, key=lambda series: natural(series.id)))


def _check_uids(
    members: Sequence[FrameHeader], study: str, series: str, findings: Findings
) -> None:
    header = members[0].header
    written = {
        "StudyInstanceUID": header.uid(tags.STUDY_UID),
        "SeriesInstanceUID": header.uid(tags.SERIES_UID),
        "SOPInstanceUID": header.uid(tags.SOP_INSTANCE_UID),
    }
    missing = [name for name, uid in written.items() if not uid]
    if missing:
        words = f"{', '.join(missing)} missing; files of one folder were taken together"
        findings.add("uid_missing", words, file=header.path, study=study, series=series)
    wrong = [
        name for name, uid in written.items() if uid and not (UID.fullmatch(uid) and len(uid) <= 64)
    ]
    if wrong:
        example = written[wrong[0]]
        words = f'invalid {", ".join(wrong)}, such as "{example}", in {len(members)} frames'
        findings.add("uid_invalid", words, file=header.path, study=study, series=series)
