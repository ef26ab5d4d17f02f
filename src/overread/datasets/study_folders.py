"""DICOM folders laid out as {study}/{series}/{instance}.dcm: the folders give the names.

Reading itself is imaging's; this only finds the folder, hands roles over and names studies.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from overread.imaging import Progress, Reading, read_studies
from overread.records import Finding, Series, Study

__all__ = ["read_named_studies"]


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
    there = {folder.name for pattern in ("*", "*/*") for folder in path.glob(pattern)}
    there.add(path.name)
    used = {series: role for series, role in roles.items() if series in there}
    reading = read_studies(path, roles=used, on_progress=on_progress)
    groups: dict[str, list[Study]] = defaultdict(list)
    names: dict[str | None, str] = {}
    for study in reading.studies:
        folder = _folder_of(study, images)
        name = study.id if folder is None or (numbers and not folder.isdigit()) else folder
        groups[name].append(study)
        names[study.id] = name
    merged = [_merge(name, groups[name]) for name in sorted(groups)]
    findings = [replace(one, study=names.get(one.study, one.study)) for one in reading.findings]
    findings += [_split_finding(name, group) for name, group in groups.items() if len(group) > 1]
    if path == images and len(used) < len(roles):
        findings.append(_unused_finding(sorted(roles.keys() - used.keys())))
    return replace(reading, studies=tuple(merged), findings=tuple(findings))


def _folder_of(study: Study, images: Path) -> str | None:
    tops = set()
    for series in study.series:
        for frame in series.frames:
            parts = _below(frame.path, images)
            if len(parts) != 3:
                return None
            tops.add(parts[0])
    return tops.pop() if len(tops) == 1 else None


def _below(path: Path, images: Path) -> Sequence[str]:
    return path.relative_to(images).parts if path.is_relative_to(images) else ()


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
