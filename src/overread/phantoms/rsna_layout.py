"""Lays studies out as the RSNA 2024 lumbar challenge did: three tables and one folder tree.

Rows are in the order in which the studies were forged, so fewer studies are a prefix of more.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from overread.phantoms.dicom_writing import write_series
from overread.phantoms.forged_study import ForgedSeries, ForgedStudy
from overread.phantoms.severity import CONDITIONS, GRADES, LEVELS

TARGETS = tuple(
    f"{condition}_{level.lower().replace('/', '_')}" for condition in CONDITIONS for level in LEVELS
)


@dataclass(frozen=True)
class StudyRows:
    """What one study adds to the tables and to the truth."""

    grades: dict[str, int | str | None]
    points: list[dict[str, int | float | str]]
    series: list[dict[str, int | str]]
    truth: dict[str, Any]


def write_study(folder: Path, study: ForgedStudy) -> StudyRows:
    """Write the images of a study below `folder/train_images`, and return its table rows."""
    for series in study.series:
        place = folder / "train_images" / str(study.study_id) / str(series.series_id)
        write_series(place, study, series)
    return StudyRows(_grades(study), _points(study), _series(study), _truth(study))


def write_tables(folder: Path, rows: Sequence[StudyRows]) -> None:
    """Write the three tables and `phantom_truth.json`; the grades come last, as a seal."""
    points = {
        "study_id": pl.Int64,
        "series_id": pl.Int64,
        "instance_number": pl.Int64,
        "condition": pl.String,
        "level": pl.String,
        "x": pl.Float64,
        "y": pl.Float64,
    }
    series = {"study_id": pl.Int64, "series_id": pl.Int64, "series_description": pl.String}
    grades: dict[str, Any] = {"study_id": pl.Int64} | dict.fromkeys(TARGETS, pl.String)
    flat_points = [point for row in rows for point in row.points]
    flat_series = [one for row in rows for one in row.series]
    pl.DataFrame(flat_points, schema=points).write_csv(folder / "train_label_coordinates.csv")
    pl.DataFrame(flat_series, schema=series).write_csv(folder / "train_series_descriptions.csv")
    truth = json.dumps({"studies": [row.truth for row in rows]}, indent=1)
    (folder / "phantom_truth.json").write_text(truth + "\n", encoding="utf-8")
    pl.DataFrame([row.grades for row in rows], schema=grades).write_csv(folder / "train.csv")


def _grades(study: ForgedStudy) -> dict[str, int | str | None]:
    row: dict[str, int | str | None] = {"study_id": study.study_id}
    for place, target in enumerate(TARGETS):
        condition, level = divmod(place, len(LEVELS))
        grade = GRADES[int(study.severity.grade[condition, level])]
        row[target] = None if study.severity.missing[condition, level] else grade
    return row


def _points(study: ForgedStudy) -> list[dict[str, int | float | str]]:
    images = {
        (series.series_id, image.key): image for series in study.series for image in series.slices
    }
    found: list[dict[str, int | float | str]] = []
    for point in sorted(study.points, key=lambda point: (point.condition, point.level)):
        image = images[(point.series_id, point.slice_key)]
        column, row, _ = image.plane.pixel(point.world)
        found.append(
            {
                "study_id": study.study_id,
                "series_id": point.series_id,
                "instance_number": image.instance,
                "condition": CONDITIONS[point.condition].replace("_", " ").title(),
                "level": LEVELS[point.level],
                "x": round(float(column), 6),
                "y": round(float(row), 6),
            }
        )
    return found


def _series(study: ForgedStudy) -> list[dict[str, int | str]]:
    def line(series: ForgedSeries) -> dict[str, int | str]:
        return {
            "study_id": study.study_id,
            "series_id": series.series_id,
            "series_description": series.protocol.role,
        }

    return [line(series) for series in study.series]


def _truth(study: ForgedStudy) -> dict[str, Any]:
    return {
        "study_id": study.study_id,
        "index": study.index,
        "series": {str(series.series_id): series.protocol.role for series in study.series},
        **study.truth,
        "dirt": list(study.dirt),
    }
