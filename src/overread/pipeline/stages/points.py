"""How far out-of-fold points lie from the true ones, mm (px for photographs)."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from overread.pipeline.stages.locate import load_located
from overread.pipeline.stages.read import studies_of
from overread.pipeline.step import Task
from overread.records import Keypoints

__all__ = ["make", "point_errors", "summarise_errors"]

NEAR_MM = 10.0
SCHEMA = {"study": pl.String, "point": pl.String, "error_mm": pl.Float64}


def make(task: Task) -> None:
    """Compare every true point with the point found."""
    truth = studies_of(task).keypoints.get(task.step.settings["truth"], {})
    errors = point_errors(truth, load_located(task.inputs["points"]))
    errors.write_parquet(task.folder / "errors.parquet")
    (task.folder / "summary.json").write_text(json.dumps(summarise_errors(errors), indent=1))


def point_errors(truth: Mapping[str, Keypoints], found: Mapping[str, Keypoints]) -> pl.DataFrame:
    """Return a row for each true point: study, point, error_mm (null = not found)."""
    rows = []
    for study, points in truth.items():
        other = found.get(study)
        for name, place in zip(points.names, points.points, strict=True):
            there = other.get(name) if other else None
            rows.append(
                (study, name, None if there is None else float(np.linalg.norm(place - there)))
            )
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def summarise_errors(errors: pl.DataFrame) -> dict[str, Any]:
    """Return n, share found, and mean, median and 95th percentile of the errors found, mm.

    "named" is the share of studies of which at least half of the true points were found near the
    truth: a chain that is named one level off fails it.
    """
    found = errors["error_mm"].drop_nulls()
    if not len(found):
        empty = {"n": len(errors), "found": 0.0, "mean": None, "median": None, "p95": None}
        return {**empty, "named": 0.0}
    near = errors.select("study", near=pl.col("error_mm").fill_null(NEAR_MM) < NEAR_MM)
    named = near.group_by("study").agg(pl.col("near").mean() >= 0.5)["near"].mean()
    return {
        "named": named,
        "n": len(errors),
        "found": len(found) / len(errors),
        "mean": float(np.mean(found.to_numpy())),
        "median": float(np.median(found.to_numpy())),
        "p95": float(np.percentile(found.to_numpy(), 95)),
    }
