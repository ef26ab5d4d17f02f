"""From a path to decoded studies: whatever cannot be read becomes a finding.

What is looked for in the pixels is not known here.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from overread.imaging import StudyPixels, study_stacks
from overread.imaging.reading import DecodeError, Parts, Progress, Reading, decode
from overread.inference.ranges import blank_findings
from overread.records import Finding, Series, Stack, Study, Volume
from overread.shelf import Named, settings_of

__all__ = ["EXPECTED", "decode_study", "open_parts", "open_studies"]

# What a broken study may raise; anything else is a mistake of ours and should be seen.
EXPECTED = (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError)


def open_studies(dataset: Named, path: Path, *, on_progress: Progress | None = None) -> Reading:
    """Find the studies at a path, in the dataset's way of telling series apart.

    Raises:
        FileNotFoundError: if there is nothing at the path.
    """
    _check_there(path)
    module, spec = settings_of("overread.datasets", dataset)
    reading: Reading = module.open_studies(spec, path, on_progress=on_progress)
    return reading


def open_parts(dataset: Named, path: Path, *, on_progress: Progress | None = None) -> Parts:
    """Find the same studies, to be read one after the other where the dataset can.

    Raises:
        FileNotFoundError: if there is nothing at the path.
    """
    _check_there(path)
    module, spec = settings_of("overread.datasets", dataset)
    if hasattr(module, "open_parts"):
        parts: Parts = module.open_parts(spec, path, on_progress=on_progress)
        return parts
    return Parts.of(module.open_studies(spec, path, on_progress=on_progress))


def _check_there(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: found nothing there, expected a study or a folder of studies; check the path"
        )


def decode_study(study: Study) -> tuple[StudyPixels, tuple[Finding, ...]]:
    """Decode the stacks that have a role; a stack that cannot be decoded is set aside.

    Returns:
        The study, in which such a stack has no role any more, with its pixels; what went wrong,
        and which series are blank.
    """
    findings: list[Finding] = []
    volumes: list[Volume] = []
    broken: set[int] = set()
    for series, stack in study_stacks(study):
        try:
            volumes.append(decode(stack))
        except EXPECTED as error:
            broken.add(id(stack))
            findings.append(_broken(study, series, error))
    if broken:
        study = replace(study, series=tuple(_without(study.series, broken)))
    pixels = StudyPixels(study, tuple(volumes))
    return pixels, (*findings, *blank_findings(pixels))


def _broken(study: Study, series: Series, error: Exception) -> Finding:
    why = error.why if isinstance(error, DecodeError) else error  # paths may hold names
    message = f"series {series.id} of study {study.id} is left out: {why}"
    return Finding("decode_failed", "refuse", message, study=study.id, series=series.id)


def _without(series: Iterable[Series], broken: set[int]) -> Iterable[Series]:
    for one in series:
        stacks: tuple[Any, ...] = tuple(_roleless(stack, broken) for stack in one.stacks)
        yield replace(one, stacks=stacks)


def _roleless(stack: Stack, broken: set[int]) -> Stack:
    return replace(stack, role=None) if id(stack) in broken else stack
