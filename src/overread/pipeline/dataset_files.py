"""A read dataset on disk: parquet tables, paths relative to the dataset's folder; no pixels.

It knows the records and how to bring them back; it does not know how they were read.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from overread.datasets import Dataset
from overread.records import Finding, Frame, Keypoints, Labels, Planes, Series, Stack, Study

__all__ = [
    "load_dataset",
    "load_points",
    "planes_array",
    "planes_of",
    "points_frame",
    "save_dataset",
]

PLANE_COLUMNS = 13


def planes_array(planes: Planes) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return planes as (n, 13): origin, row, column, spacing, size."""
    return np.concatenate(
        [planes.origin, planes.row, planes.column, planes.spacing, planes.size], axis=1
    )


def planes_of(array: np.ndarray[Any, np.dtype[np.float64]], space: str) -> Planes:
    """Return the planes that `planes_array` wrote."""
    values = np.asarray(array, np.float64).reshape(-1, PLANE_COLUMNS)
    return Planes(
        values[:, 0:3],
        values[:, 3:6],
        values[:, 6:9],
        values[:, 9:11],
        values[:, 11:13].astype(np.int64),
        "image" if space == "image" else "patient",
    )


def save_dataset(folder: Path, dataset: Dataset, root: Path) -> None:
    """Write a dataset; `root` is the folder that its paths are relative to."""
    _studies(dataset).write_parquet(folder / "studies.parquet")
    _series(dataset).write_parquet(folder / "series.parquet")
    _frames(dataset, root).write_parquet(folder / "frames.parquet")
    dataset.labels.frame.write_parquet(folder / "labels.parquet")
    sets = [
        points_frame(points).with_columns(pl.lit(name).alias("set"))
        for name, points in dataset.keypoints.items()
    ]
    empty = points_frame({}).with_columns(pl.lit("").alias("set"))
    pl.concat([empty, *sets]).write_parquet(folder / "keypoints.parquet")
    findings = [asdict(finding) for finding in dataset.findings]
    (folder / "findings.json").write_text(json.dumps(findings, indent=1))


def load_dataset(folder: Path, root: Path) -> Dataset:
    """Read what `save_dataset` wrote, with paths below `root`."""
    keypoints = pl.read_parquet(folder / "keypoints.parquet")
    findings = json.loads((folder / "findings.json").read_text())
    return Dataset(
        _read_studies(folder, root),
        tuple(Finding(**finding) for finding in findings),
        Labels(pl.read_parquet(folder / "labels.parquet")),
        {
            str(name): load_points(rows)
            for (name,), rows in keypoints.group_by("set", maintain_order=True)
        },
    )


def points_frame(points: Mapping[str, Keypoints]) -> pl.DataFrame:
    """Return {study: points} as a table: a row a point.

    Columns: study, name, x, y, z, confidence, source, fold, ends (six numbers, or null), turned.
    """
    schema: dict[str, Any] = {
        "study": pl.String,
        "name": pl.String,
        "x": pl.Float64,
        "y": pl.Float64,
        "z": pl.Float64,
        "confidence": pl.Float64,
        "source": pl.String,
        "fold": pl.Int64,
        "ends": pl.List(pl.Float64),
        "turned": pl.Boolean,
    }
    rows = [
        (study, name, *map(float, place), float(sure), found.source, found.fold, ends, found.turned)
        for study, found in points.items()
        for name, place, sure, ends in zip(
            found.names, found.points, found.confidence, _ends_of(found), strict=True
        )
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _ends_of(points: Keypoints) -> list[list[float] | None]:
    if points.ends is None:
        return [None] * len(points.names)
    return [list(map(float, ends)) for ends in points.ends.reshape(-1, 6)]


def load_points(frame: pl.DataFrame) -> dict[str, Keypoints]:
    """Return the points of each study that `points_frame` wrote; studies without any are absent."""
    return {
        str(study): Keypoints(
            tuple(rows["name"]),
            rows.select("x", "y", "z").to_numpy(),
            rows["confidence"].to_numpy(),
            rows["source"][0],
            rows["fold"][0],
            None
            if rows["ends"].null_count()
            else np.array(rows["ends"].to_list()).reshape(-1, 2, 3),
            bool(rows["turned"][0]),
        )
        for (study,), rows in frame.group_by("study", maintain_order=True)
    }


def _studies(dataset: Dataset) -> pl.DataFrame:
    rows = [(study.id, study.uid, study.subject) for study in dataset.studies]
    schema = {"id": pl.String, "uid": pl.String, "subject": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _series(dataset: Dataset) -> pl.DataFrame:
    rows = [
        (
            study.id,
            series.id,
            series.uid,
            series.role,
            series.role_confidence,
            series.role_reason,
            series.modality,
            series.description,
            [stack.role for stack in series.stacks],
            [stack.planes.space for stack in series.stacks],
        )
        for study in dataset.studies
        for series in study.series
    ]
    schema: dict[str, Any] = {
        "study": pl.String,
        "id": pl.String,
        "uid": pl.String,
        "role": pl.String,
        "role_confidence": pl.Float64,
        "role_reason": pl.String,
        "modality": pl.String,
        "description": pl.String,
        "stack_roles": pl.List(pl.String),
        "stack_spaces": pl.List(pl.String),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _frames(dataset: Dataset, root: Path) -> pl.DataFrame:
    rows = [
        (
            study.id,
            series.id,
            number,
            _relative(frame.path, root),
            frame.sop_instance_uid,
            frame.index,
            plane.tolist(),
        )
        for study in dataset.studies
        for series in study.series
        for number, stack in enumerate(series.stacks)
        for frame, plane in zip(stack.frames, planes_array(stack.planes), strict=True)
    ]
    schema: dict[str, Any] = {
        "study": pl.String,
        "series": pl.String,
        "stack": pl.Int64,
        "path": pl.String,
        "sop": pl.String,
        "index": pl.Int64,
        "plane": pl.List(pl.Float64),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _read_studies(folder: Path, root: Path) -> tuple[Study, ...]:
    frames: dict[tuple[str, str, int], list[tuple[Frame, list[float]]]] = {}
    for study, series, stack, path, sop, index, plane in pl.read_parquet(
        folder / "frames.parquet"
    ).iter_rows():
        frame = Frame(root / path, sop, index)
        frames.setdefault((study, series, stack), []).append((frame, plane))
    series_of: dict[str, list[Series]] = {}
    for row in pl.read_parquet(folder / "series.parquet").iter_rows(named=True):
        series_of.setdefault(row["study"], []).append(_one_series(row, frames))
    return tuple(
        Study(id=name, uid=uid, subject=subject, series=tuple(series_of.get(name, ())))
        for name, uid, subject in pl.read_parquet(folder / "studies.parquet").iter_rows()
    )


def _one_series(
    row: Mapping[str, Any], frames: Mapping[tuple[str, str, int], list[tuple[Frame, list[float]]]]
) -> Series:
    stacks = []
    for number, (role, space) in enumerate(
        zip(row["stack_roles"], row["stack_spaces"], strict=True)
    ):
        found = frames[row["study"], row["id"], number]
        planes = planes_of(np.array([plane for _, plane in found]), space)
        stacks.append(Stack(tuple(frame for frame, _ in found), planes, role))
    return Series(
        id=row["id"],
        uid=row["uid"],
        stacks=tuple(stacks),
        role=row["role"],
        role_confidence=row["role_confidence"],
        role_reason=row["role_reason"],
        modality=row["modality"],
        description=row["description"],
    )
