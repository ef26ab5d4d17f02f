"""Pixels of each study, decoded once, into arrays that are read memory-mapped."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from overread.imaging import StudyPixels, study_stacks
from overread.inference.opening import decode_study
from overread.pipeline.dataset_files import planes_array, planes_of
from overread.pipeline.parts import map_parts, part_folder, without
from overread.pipeline.stages.read import studies_of
from overread.pipeline.step import Outcome, Task
from overread.records import Study, Volume

__all__ = ["load_pixels", "make"]

INDEX = "volumes.json"


def make(task: Task) -> Outcome:
    """Decode the stacks that have a role, study by study."""
    return map_parts(task, without(studies_of(task).studies, task.broken), _decode_study)


def _decode_study(study: Study, folder: Path) -> None:
    """Write the volumes; a stack that cannot be decoded is left out, a study without any refused.

    Raises:
        ValueError: if no stack can be decoded.
    """
    pixels, findings = decode_study(study)
    kept = {stack.frames for _, stack in study_stacks(pixels.study)}
    if findings and not kept:
        raise ValueError("; ".join(finding.message for finding in findings))
    index = []
    for number, volume in enumerate(pixels.volumes):
        np.save(folder / f"{number}.npy", volume.array)
        np.save(folder / f"{number}.planes.npy", planes_array(volume.planes))
        index.append({"kind": volume.kind, "space": volume.planes.space})
    content = {
        "volumes": index,
        "kept": [stack.frames in kept for _, stack in study_stacks(study)],
        "findings": [finding.message for finding in findings],
    }
    (folder / INDEX).write_text(json.dumps(content))


def load_pixels(entry: Path, study: Study) -> StudyPixels:
    """Return a study with its pixels, memory-mapped; stacks that were left out have no role.

    Args:
        entry: folder of a `decode` step.
        study: one of its studies.
    """
    folder = part_folder(entry, study.id)
    content = json.loads((folder / INDEX).read_text())
    volumes = tuple(
        Volume(
            np.load(folder / f"{number}.npy", mmap_mode="r"),
            planes_of(np.load(folder / f"{number}.planes.npy"), one["space"]),
            one["kind"],
        )
        for number, one in enumerate(content["volumes"])
    )
    return StudyPixels(_only(study, content["kept"]), volumes)


def _only(study: Study, kept: list[bool]) -> Study:
    if all(kept):
        return study
    left_out = {
        stack.frames for (_, stack), keep in zip(study_stacks(study), kept, strict=True) if not keep
    }
    series = tuple(
        replace(
            one,
            stacks=tuple(
                replace(stack, role=None) if stack.frames in left_out else stack
                for stack in one.stacks
            ),
        )
        for one in study.series
    )
    return replace(study, series=series)
