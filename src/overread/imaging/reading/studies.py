"""Read a folder: files to headers to studies, series and stacks, with every oddity as a finding.

Headers only; pixels are decoded when somebody asks for them.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter, thread_time

from overread.imaging.reading.collecting import RoleTable, collect_studies, study_uid
from overread.imaging.reading.enhanced import enhanced_frames, has_groups
from overread.imaging.reading.findings import Findings
from overread.imaging.reading.frames import FrameHeader, frames_of
from overread.imaging.reading.header import UnreadableError, read_header
from overread.imaging.reading.layout import LayoutError, layout_of
from overread.imaging.reading.parts import Parts, joined
from overread.imaging.reading.patients import FolderPatients
from overread.imaging.reading.report import Reading
from overread.imaging.reading.roles import check_roles
from overread.imaging.reading.scan import find_files, path_order

__all__ = ["Progress", "read_parts", "read_studies"]

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""

CHUNK = 64
Outcome = tuple[Path, list[FrameHeader] | tuple[str, str]]
ARCHIVES = {b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"Rar!", b"7z\xbc\xaf"}
DICOM_ENDINGS = frozenset({"", ".dcm", ".dicom", ".ima", ".dic"})


def read_studies(
    path: Path,
    *,
    roles: Mapping[str, str] | None = None,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> Reading:
    """Read the headers of every DICOM file below a folder.

    One study is one StudyInstanceUID, wherever its files lie. Files that cannot be used become
    findings; nothing that a file holds raises an error.

    Args:
        path: a folder, or a single file.
        roles: {series folder name or SeriesInstanceUID: role}; comes before what is inferred.
        workers: threads that read headers; None chooses.
        on_progress: called with ("scan" or "headers", done, total).

    Returns:
        the studies with their series, stacks and findings.

    Raises:
        RoleError: if `roles` names a role that does not exist.
    """
    table, findings = _table(roles), Findings(Path(path))
    frames, patients = [], FolderPatients()
    for frame in _found(findings, workers, on_progress or _silent):
        frames.append(frame)
        patients.add(frame)
    patients.tell(findings)
    studies = collect_studies(frames, table, findings)
    table.tell_unused(findings)
    return Reading(studies, tuple(findings.found))


def read_parts(
    path: Path,
    *,
    roles: Mapping[str, str] | None = None,
    together: Callable[[Path], str | None] | None = None,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> Parts:
    """Read the same study by study, in the order of their files.

    Headers are opened once to learn which files are whose, and once more when the study is asked
    for: what is held meanwhile are the names of the files. Rows of `roles` that name no series are
    not told.

    Args:
        path: a folder, or a single file.
        roles: see `read_studies`.
        together: a name for a file; studies whose files share one are read as one part. None, or
            a None that it returns: the StudyInstanceUID alone counts.
        workers: threads that read headers; None chooses.
        on_progress: called with ("scan" or "headers", done, total).

    Raises:
        RoleError: if `roles` names a role that does not exist.
    """
    table, findings = _table(roles), Findings(Path(path))
    patients, files = FolderPatients(), defaultdict[str, _Files](_Files)
    links: dict[tuple[str, str], None] = {}
    for frame in _found(findings, workers, on_progress or _silent):
        patients.add(frame)
        study, file = study_uid(frame), frame.header.path
        files[study].add(file)
        if together is not None and (name := together(file)) is not None:
            links[study, f"together {name}"] = None
    patients.tell(findings)
    groups = joined(links, files)
    members = [[files[study] for study in group] for group in groups]
    return Parts(tuple(findings.found), members, partial(_read_part, Path(path), table))


class _Files:
    """Files of one study, by folder: archives have many files in few folders."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def add(self, file: Path) -> None:
        """Add a file, once for all of its frames."""
        folder, name = os.path.split(file)
        names = self._names.setdefault(folder, [])
        if names[-1:] != [name]:
            names.append(name)

    def places(self) -> Iterator[tuple[str, str]]:
        """Yield (folder, name) of each."""
        return ((folder, name) for folder, names in self._names.items() for name in names)


def _read_part(root: Path, table: RoleTable, studies: Sequence[_Files]) -> Reading:
    findings = Findings(root)
    places = sorted((place for one in studies for place in one.places()), key=path_order)
    files = [os.path.join(*place) for place in places]  # noqa: PTH118 - many files
    frames = list(_frames(_open_all(files), findings))
    return Reading(collect_studies(frames, table, findings), tuple(findings.found))


def _table(roles: Mapping[str, str] | None) -> RoleTable:
    check_roles(roles or {})
    return RoleTable(roles or {})


def _found(findings: Findings, workers: int | None, report: Progress) -> Iterator[FrameHeader]:
    """Yield the frames of all files below the root; what is wrong with files is told."""
    root = findings.root
    if not root.exists():
        findings.add("path_missing", f"{root.name} does not exist")
        return
    folders, failed = find_files(root)
    for folder, why in failed:
        findings.add("folder_unreadable", f"the folder cannot be listed ({why})", file=folder)
    if not folders:
        findings.add("no_files", "the folder holds no files")
    num_files = sum(len(names) for _, names in folders)
    report("scan", num_files, num_files)
    done = 0
    for outcomes in _opened(_chunks(folders), workers):
        done += len(outcomes)
        report("headers", done, num_files)
        yield from _frames(outcomes, findings)


def _silent(stage: str, done: int, total: int) -> None:
    """Do nothing."""


def _chunks(folders: Sequence[tuple[str, list[str]]]) -> Iterator[list[str]]:
    """Yield the paths of some files at a time."""
    files = (os.path.join(folder, name) for folder, names in folders for name in names)  # noqa: PTH118
    while chunk := list(islice(files, CHUNK)):
        yield chunk


def _opened(chunks: Iterator[list[str]], workers: int | None) -> Iterator[list[Outcome]]:
    """Open chunk by chunk; with threads where the disk keeps us waiting.

    Parsing is plain Python, so threads only help while another one waits for bytes: the first
    chunk is timed to find out.
    """
    if workers is None:
        wall, busy = perf_counter(), thread_time()
        yield from map(_open_all, islice(chunks, 1))
        waited = perf_counter() - wall > 3 * (thread_time() - busy)
        workers = 8 if waited else 1
    if workers == 1:
        yield from map(_open_all, chunks)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(_open_all, chunks)


def _open_all(files: Iterable[str]) -> list[Outcome]:
    return [(path, _open(path)) for path in map(Path, files)]


def _open(file: Path) -> list[FrameHeader] | tuple[str, str]:
    """Return the frames of a file, or the code and words of what is wrong with it."""
    try:
        header = read_header(file)
        layout_of(header)
        return enhanced_frames(header) if has_groups(header) else frames_of(header)
    except UnreadableError as error:
        return _explained(file, error)
    except LayoutError as error:
        return error.code, str(error)
    except ValueError as error:
        return "groups_unreadable", str(error)


def _explained(file: Path, error: UnreadableError) -> tuple[str, str]:
    """Tell archives and files that were meant to be DICOM from files that merely lie there."""
    if error.code != "not_dicom":
        return error.code, str(error)
    with file.open("rb") as opened:
        start = opened.read(4)
    if start in ARCHIVES or start[:3] == b"\x1f\x8b\x08":
        return "archive", "an archive; files inside it are not read"
    if file.suffix.lower() in DICOM_ENDINGS and not file.name.startswith("."):
        return "not_dicom_image", f"not a DICOM file: {error}"
    return "not_dicom", "not a DICOM file"


def _frames(outcomes: Iterable[Outcome], findings: Findings) -> Iterator[FrameHeader]:
    for file, outcome in outcomes:
        if isinstance(outcome, tuple):
            findings.add(outcome[0], outcome[1], file=file)
        else:
            yield from outcome
