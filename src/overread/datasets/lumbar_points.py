"""Marked points of the RSNA 2024 lumbar table, lifted from pixels of an instance to world mm.

A point names a series folder and an instance, which is the name of its file. Knows no rubric.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.datasets.dataset import DatasetError, read_table, refuse_repeats
from overread.datasets.lumbar_rows import LEVELS, TARGETS, plain
from overread.imaging import read_studies
from overread.records import Finding, Keypoints, Planes, Study
from overread.shelf import nearest

__all__ = ["SETS", "corrected_points", "lift_points", "read_points"]

# Corrections by hand of the RSNA 2024 lumbar 3rd-place system, in px: facts, MIT licence.
CORRECTIONS = Path(__file__).with_name("lumbar_corrections.csv")
COLUMNS = ("study_id", "series_id", "instance_number", "condition", "level", "x", "y")
# Set of points -> the conditions whose points it is made of (the mean where there are two).
SETS: Mapping[str, tuple[str, ...]] = {
    "discs": ("spinal_canal_stenosis",),
    "canal": ("left_subarticular_stenosis", "right_subarticular_stenosis"),
    "left_foramina": ("left_neural_foraminal_narrowing",),
    "right_foramina": ("right_neural_foraminal_narrowing",),
    "left_recesses": ("left_subarticular_stenosis",),
    "right_recesses": ("right_subarticular_stenosis",),
}
# The plane on which a condition is marked; a point on another series is a slip of the table.
PLANES = {
    "spinal_canal_stenosis": "sagittal",
    "left_neural_foraminal_narrowing": "sagittal",
    "right_neural_foraminal_narrowing": "sagittal",
    "left_subarticular_stenosis": "axial",
    "right_subarticular_stenosis": "axial",
}

Place = tuple[Planes, int, str | None]
Points = dict[tuple[str, str, str], NDArray[np.float64]]  # (study, condition, level) -> mm


def read_points(path: Path) -> pl.DataFrame:
    """Read the table of marked points; conditions and levels in either spelling.

    Returns:
        study_id, series_id, instance_number, condition (such as spinal_canal_stenosis), level (such
        as L4/L5), x, y (column and row in px of that instance).

    Raises:
        DatasetError: for a missing column, an unknown condition or level, or a point twice.
    """
    frame = read_table(path, COLUMNS).select(COLUMNS)
    frame = _renamed(frame, "condition", {plain(one): one for one in TARGETS}, path)
    frame = _renamed(frame, "level", {plain(one): one for one in LEVELS}, path)
    numbers = frame.with_columns(pl.col("x", "y").cast(pl.Float64, strict=False))
    bad = numbers.filter(pl.col("x").is_null() | pl.col("y").is_null())
    if len(bad):
        raise DatasetError(
            f"{path}: found {len(bad)} points without a number for x or y, such as study "
            f"{bad['study_id'][0]}; expected px; delete or correct these rows"
        )
    refuse_repeats(numbers, ("study_id", "condition", "level"), path)
    return numbers


def corrected_points(points: pl.DataFrame) -> pl.DataFrame:
    """Return the marked points with the published corrections by hand laid over them.

    A moved point replaces the mark of spinal canal stenosis at its level; the points added to a
    study are taken for marks of that condition where it has none.

    Args:
        points: of `read_points`.
    """
    numbers = pl.col("x", "y").cast(pl.Float64)
    by_hand = pl.read_csv(CORRECTIONS, infer_schema=False).with_columns(
        numbers, condition=pl.lit(TARGETS[0])
    )
    key = ["study_id", "condition", "level"]
    marked = points.select(key)
    moved = by_hand.filter(kind="moved").join(marked, on=key, how="semi")
    added = by_hand.filter(kind="added").join(marked, on=key[:2], how="anti")
    laid = pl.concat([moved, added]).select(points.columns)
    return pl.concat([points.join(laid, on=key, how="anti"), laid])


def _renamed(
    frame: pl.DataFrame, column: str, names: Mapping[str, str], path: Path
) -> pl.DataFrame:
    written = {one: plain(one or "") for one in frame[column].unique()}
    for one, key in written.items():
        if key not in names:
            raise DatasetError(
                f'{path}: found {column} "{one}", expected one of {len(names)}; correct it '
                f"({nearest(key, names)})"
            )
    table = {one: names[key] for one, key in written.items()}
    return frame.with_columns(pl.col(column).replace_strict(table, return_dtype=pl.String))


def lift_points(
    points: pl.DataFrame, studies: Iterable[Study], path: Path, images: Path
) -> tuple[dict[str, dict[str, Keypoints]], tuple[Finding, ...]]:
    """Lift marked points to world mm by the plane of their instance.

    Args:
        points: of `read_points`.
        studies: whose files lie in {study}/{series}/{instance}.dcm.
        path: of the table, for the findings.
        images: folder of the studies; a file there that reading set aside (a copy of another) still
            tells where its points lie.

    Returns:
        {set: {study: points named by level}}, and a finding per study with points that do not lie
        on an image that was read, or that lie on a series of the wrong plane.
    """
    places = _places(studies)
    lifted: Points = {}
    lost: Counter[tuple[str, str]] = Counter()
    for row in points.iter_rows(named=True):
        study, condition = row["study_id"], row["condition"]
        if study not in places.studies:
            continue
        key = (study, row["series_id"], row["instance_number"])
        if key not in places:
            places[key] = _set_aside(images.joinpath(*key[:2], f"{key[2]}.dcm"))
        place = places[key]
        if place is None:
            lost[study, "no image"] += 1
        elif place[2] and not place[2].startswith(PLANES[condition]):
            lost[study, "wrong plane"] += 1
        else:
            xy = np.array([[row["x"], row["y"]]])
            lifted[study, condition, row["level"]] = place[0].to_world([place[1]], xy)[0]
    return _sets(lifted), tuple(_finding(key, count, path) for key, count in lost.items())


class _Places(dict[tuple[str, str, str], Place | None]):
    studies: frozenset[str]


def _places(studies: Iterable[Study]) -> _Places:
    found = _Places()
    known = set()
    for study in studies:
        known.add(study.id)
        for series in study.series:
            for stack in series.stacks:
                role = stack.role or series.role
                for index, frame in enumerate(stack.frames):
                    key = (study.id, frame.path.parent.name, frame.path.stem)
                    found[key] = (stack.planes, index, role)
    found.studies = frozenset(known)
    return found


def _set_aside(file: Path) -> Place | None:
    if not file.is_file():
        return None
    stacks = [
        stack
        for study in read_studies(file).studies
        for series in study.series
        for stack in series.stacks
    ]
    return (stacks[0].planes, 0, None) if len(stacks) == 1 else None


def _sets(lifted: Points) -> dict[str, dict[str, Keypoints]]:
    studies = sorted({study for study, _, _ in lifted})
    sets: dict[str, dict[str, Keypoints]] = defaultdict(dict)
    for name, conditions in SETS.items():
        for study in studies:
            found = {}
            for level in LEVELS:
                parts = [lifted.get((study, condition, level)) for condition in conditions]
                known = [part for part in parts if part is not None]
                if len(known) == len(conditions):
                    found[level] = np.mean(known, axis=0).tolist()
            if found:
                sets[name][study] = Keypoints.of(found)
    return {name: dict(sets[name]) for name in SETS}


def _finding(key: tuple[str, str], count: int, path: Path) -> Finding:
    study, why = key
    told = {
        "no image": "lie on an image that was not read; expected {study}/{series}/{instance}.dcm",
        "wrong plane": "lie on a series of another plane than their condition is marked on",
    }[why]
    return Finding(
        "points_left_out",
        "note",
        f"{count} marked points of study {study} {told}; they are left out; "
        "correct the table or add the image",
        str(path),
        study,
    )
