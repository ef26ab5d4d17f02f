"""DICOM folders laid out as {study}/{series}/{instance}.dcm: the folders give the names.

Reading itself is imaging's; this only finds the folder, hands roles over and names studies.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from overread.imaging import Parts, Progress, Reading, read_parts, read_studies
from overread.records import Finding, Series, Study

__all__ = ["StudyFolders"]


@dataclass(frozen=True)
class StudyFolders:
    """Where studies lie, and how they are called there: each like its folder in `images`.

    Series are named like their folder as well. A study whose files do not lie in
    {images}/{study}/{series} keeps the names that imaging gave it.

    Attributes:
        path: what to read: `images`, or one study in it.
        images: the folder whose folders are studies.
        roles: {series folder: role}, over what the headers tell.
        numbers: take folders for names only where they are numbers.
    """

    path: Path
    images: Path
    roles: Mapping[str, str]
    numbers: bool = False

    def read(self, on_progress: Progress | None = None) -> Reading:
        """Read all studies; progress is told as (stage, done, total)."""
        used = self._roles_there()
        reading = self._named(read_studies(self.path, roles=used, on_progress=on_progress))
        if self.path == self.images and len(used) < len(self.roles):
            unused = _unused_finding(sorted(self.roles.keys() - used.keys()))
            return replace(reading, findings=(*reading.findings, unused))
        return reading

    def parts(self, on_progress: Progress | None = None) -> Parts:
        """Read the same studies one after the other; see `read_parts`."""
        used, together = self._roles_there(), self._study_of
        parts = read_parts(self.path, roles=used, together=together, on_progress=on_progress)
        return parts.then(self._named)

    def _roles_there(self) -> dict[str, str]:
        """Return the roles of series that have a folder below the path."""
        there = {folder.name for pattern in ("*", "*/*") for folder in self.path.glob(pattern)}
        there.add(self.path.name)
        return {series: role for series, role in self.roles.items() if series in there}

    def _named(self, reading: Reading) -> Reading:
        """Return the studies, called like their folders."""
        groups: dict[str, list[Study]] = defaultdict(list)
        names: dict[str | None, str] = {}
        for study in reading.studies:
            name = self._folder_of(study) or study.id
            groups[name].append(study)
            names[study.id] = name
        merged = [_merge(name, groups[name]) for name in sorted(groups)]
        findings = [replace(one, study=names.get(one.study, one.study)) for one in reading.findings]
        split = [_split_finding(name, group) for name, group in groups.items() if len(group) > 1]
        return replace(reading, studies=tuple(merged), findings=(*findings, *split))

    def _folder_of(self, study: Study) -> str | None:
        """Return the folder that all files of a study lie in, where there is one."""
        folders = {self._study_of(frame.path) for one in study.series for frame in one.frames}
        return folders.pop() if len(folders) == 1 else None

    def _study_of(self, file: Path) -> str | None:
        """Return the name of a file's study: of {images}/{name}/{series}/{file}; else None."""
        parts = file.relative_to(self.images).parts if file.is_relative_to(self.images) else ()
        if len(parts) != 3 or (self.numbers and not parts[0].isdigit()):
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
