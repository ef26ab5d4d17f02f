"""What is timed; correctness is checked before."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import torch

from benchmarks.timing import Row, compare
from overread.datasets import rsna2024_lumbar
from overread.imaging import (
    AugmentSpec,
    StudyPixels,
    ViewSpec,
    augment,
    collate,
    cut,
    decode,
    read_studies,
    study_stacks,
)
from overread.models import ViewShape, slice_attention
from overread.phantoms import forge_lumbar

__all__ = ["all_paths"]

VIEW = ViewSpec(
    series=("axial_t2",),
    around="canal",
    slices={"count": 8, "pick": "level"},
    size_mm=(60, 60),
    pixels=(80, 80),
)


def all_paths(folder: Path) -> Iterator[Row]:
    """Yield a row for each hot path, on one forged study."""
    forge_lumbar(folder, num_studies=1, seed=1, workers=1)
    files = sorted(folder.rglob("*.dcm"))
    yield compare(
        f"headers of {len(files)} files to studies",
        "folder",
        lambda: read_studies(folder, workers=1),
        (
            "pydicom, headers alone",
            lambda: [pydicom.dcmread(f, stop_before_pixels=True) for f in files],
        ),
    )
    dataset = rsna2024_lumbar.read(rsna2024_lumbar.Spec(), folder)
    study = dataset.studies[0]
    yield _decode(study_stacks(study)[0][1])
    pixels = StudyPixels(study, tuple(decode(stack) for _, stack in study_stacks(study)))
    canal = {"canal": dataset.keypoints["canal"][study.id]}
    crop = cut(VIEW, pixels, canal, "L4/L5")
    yield compare("cut 8 slices of 80 px", "unit", lambda: cut(VIEW, pixels, canal, "L4/L5"))
    yield from _training(crop)


def _decode(stack) -> Row:  # noqa: ANN001
    paths = [frame.path for frame in stack.frames]
    theirs = [pydicom.dcmread(path).pixel_array for path in paths]
    if not all(np.array_equal(a, b) for a, b in zip(decode(stack).array, theirs, strict=True)):
        raise ValueError("decoded pixels differ from pydicom's")
    return compare(
        f"decode {len(paths)} raw slices",
        "stack",
        lambda: decode(stack),
        ("pydicom pixel_array", lambda: [pydicom.dcmread(path).pixel_array for path in paths]),
    )


def _training(crop) -> Iterator[Row]:  # noqa: ANN001
    views = {"axial": VIEW}
    batch = collate({"axial": [crop] * 16})
    generator = torch.Generator().manual_seed(0)
    spec = AugmentSpec(preset="B")
    yield compare(
        "augment 16 x 8 slices of 80 px, preset B",
        "batch",
        lambda: augment(batch, spec, views=views, generator=generator),
    )
    network = slice_attention.build(
        slice_attention.Spec(backbone="tiny_conv"),
        inputs={"axial": ViewShape(slices=8, channels=1, height=80, width=80)},
        heads={"grade": 3},
        seed=0,
    )
    inputs = augment(batch, spec, views=views, generator=generator)

    def step() -> None:
        network.zero_grad()
        network(inputs)["logits.grade"].square().mean().backward()

    yield compare("forward and backward, tiny_conv, 16 units", "batch", step)
