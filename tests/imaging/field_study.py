"""A tiny study whose pixels are a known smooth field over the patient.

So each pixel of a crop can be compared with the field at its place.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from overread.imaging import StudyPixels
from overread.records import Frame, Keypoints, Planes, Series, Stack, Study, Volume

LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
# Direction of rows and columns of plain sagittal and axial images.
SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def field(points: np.ndarray) -> np.ndarray:
    """A value 0-1000 at each point in mm; unlike its mirror images."""
    x, y, z = np.moveaxis(points, -1, 0)
    wave = np.sin(x / 9 + 0.4) + np.sin(y / 11 + 1.1) * np.cos(z / 13) + np.sin((x + z) / 17)
    return np.asarray(500 + 150 * wave)


def turned(axes: Sequence[Sequence[float]], degrees: float, about: int) -> np.ndarray:
    """Turn the directions of rows and columns about a body axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    i, j = [(1, 2), (2, 0), (0, 1)][about]
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return np.asarray(np.array(axes) @ matrix.T)


def field_stack(
    role: str,
    axes: Sequence[Sequence[float]],
    *,
    count: int,
    gap: float = 4.0,
    size: tuple[int, int] = (70, 64),
    spacing: tuple[float, float] = (1.0, 1.0),
    middle: Sequence[float] = (0, 0, 0),
    dtype: type = np.float32,
) -> tuple[Stack, Volume]:
    """A stack of parallel slices about a middle, along row x column."""
    row, column = np.array(axes, float)
    normal = np.cross(row, column)
    centres = np.array(middle) + np.outer((np.arange(count) - (count - 1) / 2) * gap, normal)
    corner = (
        centres - row * spacing[1] * (size[1] - 1) / 2 - column * spacing[0] * (size[0] - 1) / 2
    )
    planes = Planes(
        corner,
        np.tile(row, (count, 1)),
        np.tile(column, (count, 1)),
        np.tile(spacing, (count, 1)),
        np.tile(size, (count, 1)),
    )
    return Stack(frames_of(role, count), planes, role), field_volume(planes, dtype=dtype)


def frames_of(name: str, count: int) -> tuple[Frame, ...]:
    """Frames that are told apart by their names."""
    return tuple(Frame(Path(f"{name}/{i}.dcm"), f"{name}.{i}") for i in range(count))


def field_volume(planes: Planes, *, dtype: type = np.float32) -> Volume:
    """The field on planes of one size."""
    rows, columns = planes.size[0]
    y, x = np.mgrid[0:rows, 0:columns]
    points = np.stack([x.ravel(), y.ravel()], 1)
    values = [
        field(planes.to_world(np.full(len(points), i), points)).reshape(rows, columns)
        for i in range(len(planes))
    ]
    return Volume(np.stack(values).astype(dtype), planes)


def study_of(*stacks: tuple[Stack, Volume]) -> StudyPixels:
    """A study of one series a stack."""
    series = tuple(
        Series(f"s{i}", f"1.{i}", (stack,), stack.role) for i, (stack, _) in enumerate(stacks)
    )
    return StudyPixels(
        Study("study", "1", "subject", series), tuple(volume for _, volume in stacks)
    )


def mirrored_study(study: StudyPixels) -> StudyPixels:
    """The study of the patient's mirror image; files keep their pixels and order."""
    return study_of(
        *(
            (
                Stack(stack.frames, stack.planes.mirrored(), stack.role),
                Volume(volume.array, volume.planes.mirrored()),
            )
            for (stack, volume) in zip(
                (one for series in study.study.series for one in series.stacks),
                study.volumes,
                strict=True,
            )
        )
    )


def mirrored_points(points: Keypoints) -> Keypoints:
    """The points of the mirrored patient."""
    return Keypoints(points.names, points.points * [-1, 1, 1], points.confidence)


def discs(spacing: float = 12.0, tilt: float = 0.0, bend: float = 0.0) -> Keypoints:
    """Five discs from head to feet about the origin; `tilt` degrees in the sagittal plane."""
    along = (np.arange(5) - 2) * spacing
    angle = np.radians(tilt)
    back = along * np.sin(angle) + bend * along**2
    points = np.stack([0.3 + 0 * along, back, -along * np.cos(angle)], 1)
    return Keypoints.of(dict(zip(LEVELS, points.tolist(), strict=True)))
