"""Reflects a forged study in the patient's x axis: left and right change places, exactly.

Sagittal pixels stay as they are and their planes move to -x.
Axial images are flipped in columns, so that the patient's right stays on the image's left.
Sagittal slices are renumbered so that they still run from the patient's right to the left.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from overread.phantoms.forged_study import ForgedSeries, ForgedSlice, ForgedStudy, LabelledPoint
from overread.phantoms.sampling import F64, SlicePlane
from overread.phantoms.severity import MIRROR_ORDER, Severity

_FLIP = np.array([-1.0, 1.0, 1.0])


def mirror_study(study: ForgedStudy) -> ForgedStudy:
    """Return the study of the person's mirror image, under the same numbers."""
    return replace(
        study,
        severity=_mirror_severity(study.severity),
        series=tuple(_mirror_series(series) for series in study.series),
        points=tuple(_mirror_point(point) for point in study.points),
        truth=_mirror_truth(study.truth),
        mirrored=not study.mirrored,
    )


def mirror_plane(plane: SlicePlane) -> tuple[SlicePlane, bool]:
    """Return the reflected plane, and whether its columns have to be flipped."""
    across, down = plane.along_row * _FLIP, plane.along_column * _FLIP
    flip = abs(plane.along_row[0]) > 0.5
    origin = plane.origin * _FLIP
    if flip:
        origin = plane.world(plane.shape[1] - 1, 0) * _FLIP
        across = -across
    return replace(plane, origin=origin, along_row=across, along_column=down), flip


def _mirror_series(series: ForgedSeries) -> ForgedSeries:
    slices = [_mirror_slice(image) for image in series.slices]
    if series.protocol.role != "Axial T2":
        numbers = sorted(image.instance for image in slices)
        rank = {number: place for place, number in enumerate(numbers)}
        slices = [replace(image, instance=numbers[-1 - rank[image.instance]]) for image in slices]
    return replace(series, slices=tuple(slices))


def _mirror_slice(image: ForgedSlice) -> ForgedSlice:
    plane, flip = mirror_plane(image.plane)
    pixels = np.ascontiguousarray(image.pixels[:, ::-1]) if flip else image.pixels
    return replace(image, plane=plane, pixels=pixels)


def _mirror_point(point: LabelledPoint) -> LabelledPoint:
    world: F64 = point.world * _FLIP
    return replace(point, condition=MIRROR_ORDER[point.condition], world=world)


def _mirror_severity(severity: Severity) -> Severity:
    order = list(MIRROR_ORDER)
    return replace(
        severity,
        latent=severity.latent[order],
        grade=severity.grade[order],
        depth=severity.depth[order],
        missing=severity.missing[order],
    )


def _mirror_truth(truth: dict[str, Any]) -> dict[str, Any]:
    def reflect(points: list[list[float]]) -> list[list[float]]:
        return [[-x, y, z] for x, y, z in points]

    mirrored = dict(truth)
    for name in ("disc_centres", "canal_centres"):
        mirrored[name] = reflect(truth[name])
    for name in ("foramina", "recesses"):
        mirrored[name] = {
            "left": reflect(truth[name]["right"]),
            "right": reflect(truth[name]["left"]),
        }
    for name in ("latent", "depth", "grade", "missing"):
        mirrored[name] = [truth[name][row] for row in MIRROR_ORDER]
    return mirrored
