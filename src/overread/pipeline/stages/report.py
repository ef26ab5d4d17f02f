"""What people read in the end: a page about the run, and its numbers as JSON."""

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.datasets import Dataset
from overread.inference import UnitCrops, load_cuts
from overread.learning import read_log
from overread.pipeline.dataset_files import load_dataset
from overread.pipeline.parts import part_folder
from overread.pipeline.recipe import resolved_recipe
from overread.pipeline.stages.score import load_differences, load_scores, out_of_fold
from overread.pipeline.stages.trust import load_trust
from overread.pipeline.step import Step, Task, in_order
from overread.pipeline.store import Entry, now
from overread.records import Labels
from overread.reporting import Case, Curve, RunReport, run_page, worst_cases

__all__ = ["PAGE", "make", "middle_slice"]

PAGE = "page.html"
LOG = "log.jsonl"


def make(task: Task) -> None:
    """Write page.html and summary.json."""
    recipe, rubric = task.step.spec
    dataset = load_dataset(task.inputs["read"], Path())
    scores, predictions = load_scores(task.inputs["score"]), out_of_fold(task)
    cases = worst_cases(rubric, dataset.labels, predictions, recipe.final)
    forged = "forge" in task.inputs
    report = RunReport(
        title=recipe.name,
        rubric=rubric,
        final=recipe.final,
        scores=scores,
        labels=dataset.labels,
        predictions=predictions,
        about={
            **{name: str(text) for name, text in recipe.about.model_dump().items()},
            "caveats": " ".join(task.step.settings.get("caveats", ())),
        },
        recipe=resolved_recipe(recipe),
        facts=_facts(task, dataset),
        curves=tuple(_curves(task)),
        points=_points(task),
        findings=dataset.findings,
        timings=_timings(task),
        cases=tuple(_pictured(task, dataset.labels, case) for case in cases),
        trust=load_trust(task.inputs["trust"]) if "trust" in task.inputs else None,
        differences=load_differences(task.inputs["score"]),
        notice="The studies are phantoms; the scores say nothing of patients." if forged else "",
    )
    (task.folder / PAGE).write_text(run_page(report), encoding="utf-8")
    summary = {
        "recipe": recipe.name,
        "final": recipe.final,
        "caveats": task.step.settings.get("caveats", []),
        "scores": scores.frame.to_dicts(),
        "differences": report.differences.frame.to_dicts(),
        "points": {
            role.removeprefix("points."): json.loads((entry / "summary.json").read_text())
            for role, entry in task.inputs.items()
            if role.startswith("points.")
        },
    }
    (task.folder / "summary.json").write_text(json.dumps(summary, indent=1))


def _facts(task: Task, dataset: Dataset) -> dict[str, str]:
    known = dataset.labels.known().frame
    return {
        "studies": str(dataset.num_studies),
        "subjects": str(known["subject"].n_unique()),
        "graded answers": str(len(known)),
        "set aside": str(len(task.broken)),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "made": now()[:16].replace("T", " ") + " UTC",
        "run": task.step.key,
    }


def _curves(task: Task) -> Iterator[Curve]:
    for role, entry in task.inputs.items():
        kind, _, rest = role.partition(".")
        if kind in {"fit", "locate_fit"} and (entry / LOG).is_file():
            name, _, fold = rest.rpartition(".fold")
            yield Curve(name, int(fold), read_log(entry))


def _points(task: Task) -> pl.DataFrame | None:
    tables = [
        pl.read_parquet(entry / "errors.parquet").select(
            pl.lit(role.removeprefix("points.")).alias("locator"), "point", "error_mm"
        )
        for role, entry in task.inputs.items()
        if role.startswith("points.")
    ]
    return pl.concat(tables) if tables else None


def _timings(task: Task) -> pl.DataFrame:
    """Return a row for each step before this one that is in the store."""
    root = task.folder.parents[1]
    rows: list[dict[str, Any]] = []
    for step in in_order(task.step.inputs.values()):
        entry = _entry(root, step)
        if entry is not None:
            known = entry.manifest
            rows.append(
                {
                    "stage": known.stage,
                    "name": known.name,
                    "seconds": known.wall_s,
                    "peak_mb": known.peak_memory_mb,
                }
            )
    return pl.DataFrame(rows)


def _entry(root: Path, step: Step) -> Entry | None:
    folder = root / step.stage.name / f"{step.name}-{step.key}"
    return Entry(folder) if (folder / "manifest.json").is_file() else None


def _pictured(task: Task, labels: Labels, case: Case) -> Case:
    """Add the middle slice of each view to a case."""
    rows = labels.frame.filter(pl.col("unit") == case.unit)
    study = rows["study"][0]
    images = []
    for role, entry in task.inputs.items():
        if role.startswith("view."):
            cuts = load_cuts(part_folder(entry, study))
            image = middle_slice(cuts.of(cuts.units.index(case.unit)))
            if image is not None:
                images.append((role.removeprefix("view."), image))
    return replace(case, images=tuple(images))


def middle_slice(crops: UnitCrops) -> NDArray[np.uint8] | None:
    """Return the first channel of the middle present slice, or None without any."""
    present = np.flatnonzero(crops.mask)
    if not len(present):
        return None
    image = np.asarray(crops.pixels[present[len(present) // 2], 0], np.float32)
    return np.asarray(np.clip(image * 255, 0, 255), np.uint8)
