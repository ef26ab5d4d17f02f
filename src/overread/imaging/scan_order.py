"""The slices of scans from the feet to the head: the units of what grades slice by slice.

A slice is called by its SOPInstanceUID; its site tells series and place, such as "1/0012": the
twelfth slice from the feet in the first series of the study. Geometry alone decides the order, so
that header tables and opened files agree. Pixels are not known here.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl

from overread.records import Study

__all__ = ["GEOMETRY", "place_slices", "scan_slices"]

AXES = ("x", "y", "z")
GEOMETRY = tuple(f"{part}_{axis}" for part in ("position", "row", "column") for axis in AXES)
"""Columns of `place_slices`: centre of the first pixel in mm, unit directions of the image."""
STEP_MM = 1e-3  # positions nearer than this are the same; header decimals are coarser
SCAN = ("study", "series")
COLUMNS = {
    "unit": pl.String,
    "frame": pl.Int64,
    "subject": pl.String,
    "study": pl.String,
    "series": pl.String,
    "stack": pl.Int64,
    "slice": pl.Int64,
}


def place_slices(slices: pl.DataFrame) -> pl.DataFrame:
    """Put slices in order along the normal of their series, towards the head.

    One normal serves a whole series: the mean of its slices' normals. Slices at one position are
    ordered by unit. Works on any number of scans at once.

    Args:
        slices: with unit, study, series and the columns `GEOMETRY`; others are kept.

    Returns:
        The slices sorted by study, series and place, without `GEOMETRY`, with height_mm (along
        the normal), place (from 1 at the feet), number (of the series in its study, from 1) and
        site ("number/place").
    """
    nx, ny, nz = (
        pl.col(f"row_{b}") * pl.col(f"column_{c}") - pl.col(f"row_{c}") * pl.col(f"column_{b}")
        for b, c in (("y", "z"), ("z", "x"), ("x", "y"))
    )
    up = pl.when(nz < 0).then(-1.0).otherwise(1.0)
    normals = zip(AXES, (nx, ny, nz), strict=True)
    mean = [(n * up).mean().over(SCAN).alias(f"normal_{axis}") for axis, n in normals]
    length = pl.sum_horizontal(pl.col(f"normal_{axis}") ** 2 for axis in AXES).sqrt()
    along = pl.sum_horizontal(pl.col(f"position_{a}") * pl.col(f"normal_{a}") for a in AXES)
    numbers = (
        slices.select(SCAN)
        .unique()
        .sort(SCAN)
        .with_columns(number=pl.int_range(1, pl.len() + 1).over("study"))
    )
    placed = (
        slices.with_columns(mean)
        .with_columns(height_mm=((along / length) / STEP_MM).round() * STEP_MM)
        .drop(*GEOMETRY, *(f"normal_{axis}" for axis in AXES))
        .join(numbers, on=SCAN, how="left")
        .sort(*SCAN, "height_mm", "unit")
        .with_columns(place=pl.int_range(1, pl.len() + 1).over(SCAN))
    )
    return placed.with_columns(
        site=pl.col("number").cast(pl.String) + "/" + pl.col("place").cast(pl.String).str.zfill(4)
    )


def scan_slices(studies: Iterable[Study], role: str = "ct") -> pl.DataFrame:
    """Return the slices of studies in order: one row a frame of the stacks with this role.

    Frames of one multi-frame file are told apart by their number: "uid#2".

    Args:
        studies: as read from files.
        role: of the stacks; slices that were set aside have none.

    Returns:
        Columns unit, subject, study, series, stack (index in the study's stacks of this role),
        slice (index in the stack), height_mm, place, number, site; see `place_slices`.
    """
    rows: list[tuple[object, ...]] = []
    geometry = [np.empty((0, len(GEOMETRY)))]
    for study in studies:
        for index, (series, stack) in enumerate(study.with_role(role)):
            who = (study.subject, study.id, series.id, index)
            rows += [
                (frame.sop_instance_uid, frame.index, *who, place)
                for place, frame in enumerate(stack.frames)
            ]
            planes = stack.planes
            geometry.append(np.concatenate([planes.origin, planes.row, planes.column], axis=1))
    frame = pl.DataFrame(rows, schema=COLUMNS, orient="row").hstack(
        pl.DataFrame(np.concatenate(geometry), schema=list(GEOMETRY))
    )
    several = pl.len().over("study", "series", "unit") > 1
    numbered = pl.col("unit") + "#" + (pl.col("frame") + 1).cast(pl.String)
    frame = frame.with_columns(unit=pl.when(several).then(numbered).otherwise("unit"))
    return place_slices(frame.drop("frame"))
