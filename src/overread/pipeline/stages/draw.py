"""The inputs of a locator with their true points, drawn once for all folds.

From the second generation on, studies without true points take part with the points that the
round before found out of fold, where they are plausible; and those of external datasets.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from overread.datasets import Dataset
from overread.imaging import StudyPixels
from overread.inference import LocatorExamples, LocatorSpec, locator_examples, trusted_points
from overread.pipeline.dataset_files import load_dataset
from overread.pipeline.parts import without
from overread.pipeline.stages.decode import load_pixels
from overread.pipeline.stages.locate import load_located
from overread.pipeline.stages.read import dataset_root, studies_of
from overread.pipeline.step import Task
from overread.records import Keypoints

__all__ = ["load_examples", "make"]

ARRAYS = ("images", "points_px", "present", "known", "studies")


def make(task: Task) -> None:
    """Draw all studies whose points are known, and keep the arrays."""
    spec: LocatorSpec = task.step.spec
    examples = locator_examples(spec, _taught(task, spec, studies_of(task)))
    for name in ARRAYS:
        np.save(task.folder / f"{name}.npy", np.asarray(getattr(examples, name)))


def _taught(
    task: Task, spec: LocatorSpec, dataset: Dataset
) -> Iterator[tuple[StudyPixels, Mapping[str, Keypoints], Keypoints]]:
    truth = _truth(task, spec, dataset)
    around = load_located(task.inputs["around"]) if "around" in task.inputs else {}
    studies = [study for study in without(dataset.studies, task.broken) if study.id in truth]
    for done, study in enumerate(studies):
        task.context.on_progress("studies", done, len(studies))
        found = around.get(study.id)
        keypoints = {spec.around: found} if spec.around and found else {}
        yield load_pixels(task.inputs["decode"], study), keypoints, truth[study.id]
    for name in spec.also:
        other = load_dataset(task.inputs[f"also.{name}.read"], dataset_root(task))
        points = other.keypoints.get(task.step.settings["truth"], {})
        for study in other.studies:
            if study.id in points:
                yield load_pixels(task.inputs[f"also.{name}.decode"], study), {}, points[study.id]


def _truth(task: Task, spec: LocatorSpec, dataset: Dataset) -> Mapping[str, Keypoints]:
    name = task.step.settings["truth"]
    if name not in dataset.keypoints:
        known = ", ".join(dataset.keypoints) or "none"
        raise LookupError(f'the dataset has no true points "{name}" to learn from; known: {known}')
    truth = dataset.keypoints[name]
    if "previous" not in task.inputs:
        return truth
    return trusted_points(spec, load_located(task.inputs["previous"]), truth)


def load_examples(entry: Path, spec: LocatorSpec) -> LocatorExamples:
    """Return the inputs of a `draw` step; images are memory-mapped."""
    images, points, present, known, studies = (
        np.load(entry / f"{name}.npy", mmap_mode="r" if name == "images" else None)
        for name in ARRAYS
    )
    return LocatorExamples(spec, images, points, present, known, tuple(map(str, studies)))


def of_studies(examples: LocatorExamples, studies: set[str]) -> LocatorExamples:
    """Return the inputs of some studies."""
    index = np.flatnonzero([study in studies for study in examples.studies])
    return replace(
        examples,
        **{name: getattr(examples, name)[index] for name in ARRAYS[:-1]},
        studies=tuple(examples.studies[i] for i in index),
    )
