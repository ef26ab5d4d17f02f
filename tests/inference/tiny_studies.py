"""A small made-up study: one sagittal and one axial series of random, smooth pixels."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from overread.imaging import StudyPixels
from overread.records import Frame, Keypoints, Planes, Series, Stack, Study, Volume

LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
CENTRES = {name: (0.0, 4.0 * index - 8.0, 60.0 - 30.0 * index) for index, name in enumerate(LEVELS)}


def discs() -> Keypoints:
    """Return the true points of the study."""
    return Keypoints.of(CENTRES)


def mirrored_points(points: Keypoints) -> Keypoints:
    """Return the points of the mirrored patient."""
    flipped = points.points * np.array([-1.0, 1.0, 1.0])
    return Keypoints(points.names, flipped, points.confidence, points.source, points.fold)


def study_pixels(
    seed: int = 0, *, name: str = "7", sagittal: int = 8, mirrored: bool = False
) -> StudyPixels:
    """Return the study; slices of a mirrored one are read from the other side, as a reader does.

    Args:
        seed: of the pixels.
        name: study id.
        sagittal: number of sagittal slices; 0 leaves the series out.
        mirrored: left and right exchanged.
    """
    series = [_axial(seed, mirrored=mirrored)]
    if sagittal:
        series.insert(0, _sagittal(seed, sagittal, mirrored=mirrored))
    study = Study(name, f"1.2.{name}", f"person-{name}", tuple(one for one, _ in series))
    return StudyPixels(study, tuple(volume for _, volume in series))


def _smooth(shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(size=shape)
    return gaussian_filter(noise, (0, 3, 3)).astype(np.float32) * 1000


def _sagittal(seed: int, count: int, *, mirrored: bool) -> tuple[Series, Volume]:
    x = (np.arange(count) - (count - 1) / 2) * 4.0
    planes = Planes(
        np.stack([x, np.full(count, -60.0), np.full(count, 80.0)], 1),
        np.tile([0.0, 1.0, 0.0], (count, 1)),
        np.tile([0.0, 0.0, -1.0], (count, 1)),
        np.full((count, 2), 1.5),
        np.tile([112, 80], (count, 1)),
    )
    pixels = _smooth((count, 112, 80), seed)
    if mirrored:
        planes, pixels = planes.mirrored().take(slice(None, None, -1)), pixels[::-1]
    return _series("1", "sagittal_t2", planes, pixels)


def _axial(seed: int, *, mirrored: bool) -> tuple[Series, Volume]:
    z = np.arange(-74.0, 80.0, 5.0)
    count = len(z)
    planes = Planes(
        np.stack([np.full(count, -55.0), np.full(count, -50.0), z], 1),
        np.tile([1.0, 0.0, 0.0], (count, 1)),
        np.tile([0.0, 1.0, 0.0], (count, 1)),
        np.full((count, 2), 1.25),
        np.tile([80, 90], (count, 1)),
    )
    pixels = _smooth((count, 80, 90), seed + 1)
    return _series("2", "axial_t2", planes.mirrored() if mirrored else planes, pixels)


def _series(
    name: str, role: str, planes: Planes, pixels: NDArray[np.float32]
) -> tuple[Series, Volume]:
    frames = tuple(
        Frame(Path(f"{name}/{index}.dcm"), f"1.2.{name}.{index}") for index in range(len(planes))
    )
    stack = Stack(frames, planes, role)
    return Series(name, f"1.2.{name}", (stack,), role), Volume(np.ascontiguousarray(pixels), planes)
