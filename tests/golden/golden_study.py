"""The synthetic lumbar study of the golden fixtures as records."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from golden_files import inputs

from overread.imaging import StudyPixels, slice_order
from overread.records import Frame, Keypoints, Planes, Series, Stack, Study, Volume

ROLES = {"Sagittal T1": "sagittal_t1", "Sagittal T2/STIR": "sagittal_t2", "Axial T2": "axial_t2"}


@dataclass(frozen=True)
class GoldenSeries:
    """One series in patient order, with the detected points as shares of the image."""

    id: str
    role: str
    planes: Planes
    instances: list[int]
    pixels: list[np.ndarray]


def planes_of(slices: list[dict[str, Any]]) -> Planes:
    """Return the planes of slices as the generator tells them."""
    cosines = np.array([one["iop"] for one in slices], float)
    return Planes(
        np.array([one["ipp"] for one in slices], float),
        cosines[:, :3],
        cosines[:, 3:],
        np.array([one["spacing"] for one in slices], float),
        np.array([one["pixels"].shape if "pixels" in one else (1, 1) for one in slices]),
    )


def golden_series(study: dict[str, Any]) -> list[GoldenSeries]:
    """Return the series of a generated study, slices in patient order."""
    found = []
    for series in study["series"]:
        role = ROLES[series["description"]]
        planes = planes_of(series["slices"])
        order = slice_order(planes, "axial" if role == "axial_t2" else "sagittal")
        slices = [series["slices"][i] for i in order]
        found.append(
            GoldenSeries(
                str(series["series_id"]),
                role,
                planes.take(order),
                [one["instance"] for one in slices],
                [one["pixels"] for one in slices],
            )
        )
    return found


def sagittal_points(study: dict[str, Any], series: GoldenSeries) -> np.ndarray:
    """Return the five detected points of a sagittal series, in mm."""
    middle = len(series.planes) // 2
    height, width = series.pixels[middle].shape
    shares = np.array(study["sagittal_points"][series.id])
    return series.planes.to_world(np.full(len(shares), middle), shares * [width, height])


def polyline_series(study: dict[str, Any]) -> GoldenSeries:
    """Return the series whose points make the polyline: the first T2, else the first T1."""
    series = golden_series(study)
    for role in ("sagittal_t2", "sagittal_t1"):
        for one in series:
            if one.role == role:
                return one
    raise LookupError("no sagittal series")


def level_points(points: np.ndarray) -> Keypoints:
    """Return the five points under their levels."""
    return Keypoints.of(dict(zip(inputs().LEVELS, points.tolist(), strict=True)))


def study_pixels(study: dict[str, Any]) -> StudyPixels:
    """Return the study with its pixels, slices of unequal size padded."""
    records, volumes = [], []
    for one in golden_series(study):
        shape = np.max([pixels.shape for pixels in one.pixels], axis=0)
        array = np.zeros((len(one.pixels), *shape), np.uint16)
        for target, pixels in zip(array, one.pixels, strict=True):
            target[: pixels.shape[0], : pixels.shape[1]] = pixels
        frames = tuple(Frame(Path(f"{i}.dcm"), str(i)) for i in one.instances)
        stack = Stack(frames, one.planes, one.role)
        records.append(Series(one.id, one.id, (stack,), one.role))
        volumes.append(Volume(array, one.planes))
    return StudyPixels(Study("golden", "1.2", "golden", tuple(records)), tuple(volumes))
