"""What the sides of the sample benchmark read: the same crops in our store, as PNG and as arrays.

Forged lumbar studies; three views of 15, 15 and 10 slices, cut as the RSNA 2024 3rd place does
(crop set v9, edges at whole pixels), so that the crop of a slice is a rectangle of its pixels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from overread.datasets import Dataset, rsna2024_lumbar
from overread.imaging import Cut, StudyPixels, ViewSpec, study_stacks
from overread.imaging.windows import stretch
from overread.inference import MemberSpec, cut_study, decode_study, load_cuts, save_cuts
from overread.inference.cuts import StudyCuts, study_units
from overread.inference.examples import MemberExamples, member_examples
from overread.phantoms import forge_lumbar
from overread.records import Rubric, Volume

__all__ = ["VIEWS", "CropStore", "Samples", "load_store", "write_samples", "write_store"]

PIXELS = (224, 224)
VIEWS = {
    name: ViewSpec(
        preset="v9",
        series=(series,),
        around=around,
        slices=slices,
        pixels=PIXELS,
        edges="whole",
    )
    for name, series, around, slices in (
        ("t1", "sagittal_t1", "discs", {"count": 15}),
        ("t2", "sagittal_t2", "discs", {"count": 15}),
        ("ax", "axial_t2", "canal", {"count": 10, "pick": "level"}),
    )
}


@dataclass(frozen=True, eq=False)
class Samples:
    """The same units for all sides.

    Attributes:
        examples: ours, memory-mapped.
        pictures: {view: for each unit the PNG files of its slices}.
        arrays: for each unit {view: .npy of (slices, rows, columns) float32, native pixels}.
    """

    examples: MemberExamples
    pictures: Mapping[str, list[list[str]]]
    arrays: list[dict[str, str]]


@dataclass(frozen=True, eq=False)
class CropStore:
    """Crops of studies in our layout.

    Attributes:
        dataset: the studies, with labels and true points.
        rubric: of their grades.
        cuts: {view: crops of each study}.
    """

    dataset: Dataset
    rubric: Rubric
    cuts: Mapping[str, list[StudyCuts]]


def write_store(
    folder: Path,
    views: Mapping[str, ViewSpec],
    studies: int,
    on_cut: Callable[[str, StudyPixels, tuple[Cut, ...]], None] | None = None,
) -> CropStore:
    """Forge studies and keep their crops; `on_cut` is shown (view, study, crops of its units)."""
    forge_lumbar(folder / "forged", num_studies=studies, seed=1, workers=1)
    opened = load_store(folder, {})
    for study in opened.dataset.studies:
        pixels, _ = decode_study(study)
        units = study_units(opened.rubric, study.id)
        points = {name: found[study.id] for name, found in opened.dataset.keypoints.items()}
        for view, settings in views.items():
            stored, made = cut_study(settings, pixels, points, units)
            save_cuts(folder / "store" / view / study.id, stored)
            if on_cut is not None:
                on_cut(view, pixels, made)
    return load_store(folder, views)


def load_store(folder: Path, views: Mapping[str, ViewSpec]) -> CropStore:
    """Open what `write_store` wrote; pixels stay on disk."""
    spec = rsna2024_lumbar.Spec()
    dataset = rsna2024_lumbar.read(spec, folder / "forged")
    cuts = {
        view: [load_cuts(folder / "store" / view / study.id) for study in dataset.studies]
        for view in views
    }
    return CropStore(dataset, rsna2024_lumbar.rubric(spec), cuts)


def write_samples(folder: Path, studies: int, augment: str) -> Samples:
    """Write the crops of forged studies for each side."""
    pictures: dict[str, list[list[str]]] = {view: [] for view in VIEWS}
    arrays: dict[str, list[str]] = {view: [] for view in VIEWS}

    def write(view: str, pixels: StudyPixels, made: tuple[Cut, ...]) -> None:
        for one in made:
            name = folder / "plain" / view / f"{len(arrays[view])}"
            crops = native_crops(VIEWS[view], pixels, one)
            pictures[view].append(_write_pictures(name, crops))
            arrays[view].append(_write_array(name, crops))

    store = write_store(folder, VIEWS, studies, write)
    member = MemberSpec(views=tuple(VIEWS), mirror="none", augment={"preset": augment})
    examples = member_examples(member, VIEWS, store.rubric, store.cuts)
    units = [dict(zip(arrays, files, strict=True)) for files in zip(*arrays.values(), strict=True)]
    return Samples(examples, pictures, units)


def native_crops(view: ViewSpec, pixels: StudyPixels, cut: Cut) -> list[NDArray[np.float32]]:
    """Return the rectangles of the slices' own pixels that a crop shows, 0-1."""
    where = {
        frame: (volume, index)
        for (_, stack), volume in zip(study_stacks(pixels.study), pixels.volumes, strict=True)
        for index, frame in enumerate(stack.frames)
    }
    crops = []
    for slot, frame in enumerate(cut.frames):
        if frame is None:
            raise ValueError("a forged study lacks a slice; expected each slot to be filled")
        volume, index = where[frame]
        rows, columns = _box(view, cut, slot, volume, index)
        limits = pixels.limits(volume, index, view.windows[0].percentile)
        crops.append(stretch(np.asarray(volume.array[index, rows, columns]), *limits))
    return crops


def _box(view: ViewSpec, cut: Cut, slot: int, volume: Volume, index: int) -> tuple[slice, slice]:
    """Return the rows and columns of the slice that the middle of a crop shows."""
    _, rows, columns = view.window
    corners = np.array([[columns.start, rows.start], [columns.stop, rows.stop]]) - 0.5
    world = cut.planes.to_world([slot, slot], corners)
    places, _ = volume.planes.to_pixels([index, index], world)
    edges = places + 0.5
    whole = np.round(edges).astype(int)
    if np.abs(edges - whole).max() > 1e-3 or (whole[1] <= whole[0]).any():
        raise ValueError(f"the crop of slot {slot} does not end at whole pixels: {edges.tolist()}")
    return slice(whole[0, 1], whole[1, 1]), slice(whole[0, 0], whole[1, 0])


def _write_pictures(folder: Path, crops: list[NDArray[np.float32]]) -> list[str]:
    folder.mkdir(parents=True)
    names = [str(folder / f"{slot:02}.png") for slot in range(len(crops))]
    for name, crop in zip(names, crops, strict=True):
        cv2.imwrite(name, np.round(crop * 255).astype(np.uint8))
    return names


def _write_array(folder: Path, crops: list[NDArray[np.float32]]) -> str:
    """Write the slices of a unit, all brought to the size of the first."""
    rows, columns = crops[0].shape
    name = str(folder / "slices.npy")
    np.save(name, np.stack([cv2.resize(crop, (columns, rows)) for crop in crops]))
    return name
