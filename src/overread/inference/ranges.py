"""Is a new study like those that the networks have seen? Its geometry, and blank pixels."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from overread.imaging import StudyPixels, study_stacks
from overread.records import Finding, Planes, Rubric, Study, Volume

__all__ = ["blank_findings", "lone_findings", "measure_ranges", "range_findings"]

WORDS = {
    "pixel_mm": ("pixel spacing", "mm"),
    "slice_mm": ("distance of slices", "mm"),
    "field_mm": ("height of the image", "mm"),
    "slices": ("number of slices", ""),
}
# How far beyond the seen range still counts as seen, as a factor.
SLACK = 1.1


def measure_ranges(studies: Iterable[Study]) -> dict[str, Any]:
    """Return {role: {quantity: [least, greatest]}} over the stacks of studies, for the card.

    The ends are the 1st and the 99th percentile, so that single odd studies do not widen them.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for study in studies:
        for role, quantities in _quantities(study):
            for name, value in quantities.items():
                found.setdefault(role, {}).setdefault(name, []).append(value)
    return {
        role: {
            name: [float(end) for end in np.percentile(values, (1, 99))]
            for name, values in quantities.items()
        }
        for role, quantities in found.items()
    }


def range_findings(study: Study, ranges: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Say where a study lies outside what the networks were trained on.

    Args:
        study: the new one.
        ranges: of the training data, as `measure_ranges` made them; empty = nothing is said.
    """
    messages: dict[str, None] = {}
    for role, quantities in _quantities(study):
        for name, value in quantities.items():
            ends = ranges.get(role, {}).get(name)
            if ends is None or ends[0] / SLACK <= value <= ends[1] * SLACK:
                continue
            words, unit = WORDS[name]
            messages[
                f"{role}: {words} is {value:.3g} {unit}".rstrip()
                + f", networks were trained on {ends[0]:.3g} to {ends[1]:.3g}; "
                "take the grades with care"
            ] = None
    return tuple(Finding("out_of_range", "note", text, study=study.id) for text in messages)


def blank_findings(pixels: StudyPixels) -> tuple[Finding, ...]:
    """Say which series are blank: slices that hold one value each, such as black or white.

    Args:
        pixels: the decoded study; a series is noted once for each of its blank stacks.
    """
    study = pixels.study
    findings = []
    for (series, _), volume in zip(study_stacks(study), pixels.volumes, strict=True):
        if len(volume) and all(_is_flat(volume, index) for index in range(len(volume))):
            message = (
                f"series {series.id} of study {study.id} is blank: each of its {len(volume)} "
                "slices holds one value only, expected an image; look at its files, and do not "
                "use grades that rest on it"
            )
            findings.append(
                Finding("pixels_constant", "note", message, study=study.id, series=series.id)
            )
    return tuple(findings)


def lone_findings(study: Study, rubric: Rubric) -> tuple[Finding, ...]:
    """Say which series are one slice where slices of a scan are graded with their neighbours."""
    if rubric.unit != "slice":
        return ()
    messages = [
        f"series {series.id} of study {study.id}: found one slice, expected a scan; whatever "
        "stands in for its neighbours is no evidence: add the other slices, or take the grades "
        "with care"
        for series in study.series
        if sum(len(one.frames) for one in series.stacks if one.role is not None) == 1
    ]
    return tuple(Finding("lone_slice", "note", text, study=study.id) for text in messages)


def _is_flat(volume: Volume, index: int) -> bool:
    rows, columns = volume.planes.size[index]  # the rest is padding
    image = volume.array[index, :rows, :columns]
    return bool(image.size) and bool((image == image[0, 0]).all())


def _quantities(study: Study) -> Iterator[tuple[str, dict[str, float]]]:
    for series in study.series:
        for stack in series.stacks:
            if stack.role is not None and stack.planes.space == "patient":
                yield stack.role, _measures(stack.planes)


def _measures(planes: Planes) -> dict[str, float]:
    measures = {
        "pixel_mm": float(np.median(planes.spacing)),
        "field_mm": float(np.median(planes.spacing[:, 0] * planes.size[:, 0])),
        "slices": float(len(planes)),
    }
    gaps = np.abs(np.einsum("ij,ij->i", np.diff(planes.origin, axis=0), planes.normal[:-1]))
    if len(gaps):
        measures["slice_mm"] = float(np.median(gaps))
    return measures
