"""DICOM folders laid out as {study}/{series}/{instance}.dcm: the folders give the names.

Reading itself is imaging's; this only finds the folder, hands roles over and names studies.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from overread.imaging import Parts, Progress, Reading, read_parts, read_studies
from overread.records import Finding, Series, Study

__all__ = ["named_parts", "read_named_studies"]


def read_named_studies(
    path: Path,
    images: Path,
    *,
    roles: Mapping[str, str],
    numbers: bool = False,
    on_progress: Progress | None = None,
) -> Reading:
    """Read the studies below `path`, each named like its folder in `images`.

    Series are named like their folder as well. A study whose files do not lie in
    {images}/{study}/{series} keeps the names that imaging gave it.

    Args:
        path: what to read: `images`, or one study in it.
        images: the folder whose folders are studies.
        roles: {series folder: role}, over what the headers tell.
        numbers: take folders for names only where they are numbers.
        on_progress: called with stage, done, total.
    """
    used = _there(path, roles)
    reading = _as_named(read_studies(path, roles=used, on_progress=on_progress), images, numbers)
    if path == images and len(used) < len(roles):
        unused = _unused_finding(sorted(roles.keys() - used.keys()))
        return replace(reading, findings=(*reading.findings, unused))
    return reading


def named_parts(
    path: Path,
    images: Path,
    *,
    roles: Mapping[str, str],
    numbers: bool = False,
    on_progress: Progress | None = None,
) -> Parts:
    """Read the same studies one after the other; see `read_named_studies`."""
    parts = read_parts(
        path,
        roles=_there(path, roles),
        together=partial(_study_folder, images=images, numbers=numbers),
        on_progress=on_progress,
    )
    return parts.then(partial(_as_named, images=images, numbers=numbers))


def _there(path: Path, roles: Mapping[str, str]) -> dict[str, str]:
    """Return the roles of series that have a folder below the path."""
    there = {folder.name for pattern in ("*", "*/*") for folder in path.glob(pattern)}
    there.add(path.name)
    return {series: role for series, role in roles.items() if series in there}


def _as_named(reading: Reading, images: Path, numbers: bool) -> Reading:
    """Return the studies, called like their folders."""
    groups: dict[str, list[Study]] = defaultdict(list)
    names: dict[str | None, str] = {}
    for study in reading.studies:
        name = _folder_of(study, images, numbers) or study.id
        groups[name].append(study)
        names[study.id] = name
    merged = [_merge(name, groups[name]) for name in sorted(groups)]
    findings = [replace(one, study=names.get(one.study, one.study)) for one in reading.findings]
    findings += [_split_finding(name, group) for name, group in groups.items() if len(group) > 1]
    return replace(reading, studies=tuple(merged), findings=tuple(findings))


def _folder_of(study: Study, images: Path, numbers: bool) -> str | None:
    """Return the folder that all files of a study lie in, where there is one."""
    folders = {
        _study_folder(frame.path, images, numbers)
        for series in study.series
        for frame in series.frames
    }
    return folders.pop() if len(folders) == 1 else None


def _study_folder(file: Path, images: Path, numbers: bool) -> str | None:
    """Return the name of a file's study: of {images}/{name}/{series}/{file}; else None."""
    parts = file.relative_to(images).parts if file.is_relative_to(images) else ()
    if len(parts) != 3 or (numbers and not parts[0].isdigit()):
        return None
    return parts[0]


def _merge(name: str, group: Sequence[Study]) -> Study:
    """Several StudyInstanceUIDs in one study folder are one study: the dataset says so."""
    first = group[0]
    # Without a PatientID the subject is the study itself, and then it is called by its folder.
    subject = name if first.subject in (first.uid, first.id) else first.subject
    series = [one for study in group for one in study.series]
    if name == first.id:
        return replace(first, subject=subject)
    named = [_named(one) for one in series]
    unique = len({one.id for one in named}) == len(named)
    return Study(name, first.uid, subject, tuple(named if unique else series))


def _named(series: Series) -> Series:
    folders = {frame.path.parent.name for frame in series.frames}
    return replace(series, id=folders.pop()) if len(folders) == 1 else series


def _split_finding(name: str, group: Sequence[Study]) -> Finding:
    return Finding(
        "study_uids_differ",
        "repaired",
        f"folder of study {name} holds {len(group)} StudyInstanceUIDs, expected one; they are "
        "read as one study, as the folder says; check that nothing was copied into it",
        study=name,
    )


def _unused_finding(series: Sequence[str]) -> Finding:
    return Finding(
        "series_without_images",
        "note",
        f"the table of series descriptions names {len(series)} series without a folder, such as "
        f"{series[0]}; add their images or ignore this",
    )
