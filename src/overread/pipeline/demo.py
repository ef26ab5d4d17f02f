"""All of it on phantoms: train, bundle, grade new studies, score them, write a page.

Everything goes into one folder; what is there already from an earlier attempt is kept.
"""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import nlargest
from pathlib import Path
from typing import Any

from overread.datasets import Dataset
from overread.inference import Bundle, Grades, GradeSpec, grade
from overread.pipeline.bundling import make_bundle
from overread.pipeline.dataset_files import load_dataset
from overread.pipeline.driver import Ran, run, scores_json
from overread.pipeline.held_out import score_new
from overread.pipeline.memory import peak_memory_mb, restart_peak
from overread.pipeline.pages import write_grades_page
from overread.pipeline.recipe import Recipe, read_recipe
from overread.pipeline.recipes import find_recipe
from overread.pipeline.run import Event, Listener
from overread.pipeline.stages.points import point_errors, summarise_errors
from overread.pipeline.step import Progress, in_order
from overread.pipeline.store import Store, write_json
from overread.shelf import Spec, settings_of

__all__ = ["DemoSpec", "run_demo"]


class DemoSpec(Spec):
    """What the demo shows.

    Attributes:
        recipe: name of a recipe that ships and forges its studies.
        studies: how many new studies are graded.
        seed: of the new studies; not the recipe's.
        shown: how many of them get pictures on the page.
    """

    recipe: str = "tiny/lumbar_two_stage"
    studies: int = 20
    seed: int = 4096
    shown: int = 6


@dataclass
class _Clock:
    """Seconds by what was done, and the largest memory."""

    listen: Listener
    seconds: dict[str, float] = field(default_factory=dict)
    peak_mb: float = 0.0

    @contextmanager
    def time(self, what: str) -> Iterator[Progress]:
        """Measure a block and show how it goes on."""
        self.listen(Event("begin", what, position=len(self.seconds) + 1, steps=LAST_STEPS))
        restart_peak()
        started = time.monotonic()
        yield lambda stage, done, total: self.listen(
            Event("progress", what, what=stage, done=done, total=total)
        )
        self.seconds[what] = round(time.monotonic() - started, 3)
        self.peak_mb = max(self.peak_mb, peak_memory_mb())
        self.listen(Event("end", what, state="done", seconds=self.seconds[what]))


LAST_STEPS = 5


def run_demo(
    output: Path, *, workers: int, jobs: int = 1, listen: Listener, spec: DemoSpec | None = None
) -> dict[str, Any]:
    """Run the demo and return what it writes to summary.json.

    Args:
        output: folder for everything; made if need be.
        workers: studies at a time.
        jobs: steps at a time; more than one, and each has a process of its own.
        listen: told what goes on.
        spec: settings; None = the defaults.

    Returns:
        score, terms, floors of the new studies, keypoint_error_mm, seconds by stage,
        peak_memory_mb, page (the graded studies), report (the run), and more.
    """
    spec = spec or DemoSpec()
    recipe = read_recipe(find_recipe(spec.recipe))
    ran = run(recipe, None, output / "store", workers=workers, jobs=jobs, listen=listen)
    clock = _Clock(listen)
    with clock.time("forge new studies") as on_progress:
        _forge_new(recipe, output / "new_studies", spec, on_progress)
    with clock.time("read new studies") as on_progress:
        new = _read(recipe, output / "new_studies", on_progress)
    with clock.time("bundle"):
        shutil.rmtree(output / "bundle", ignore_errors=True)
        make_bundle(recipe, None, output / "store", output / "bundle")
    with clock.time("grade") as on_progress:
        bundle = Bundle.load(output / "bundle")
        grades = grade(
            bundle,
            output / "new_studies",
            spec=GradeSpec(pictures=True),
            on_progress=on_progress,
        )
    with clock.time("score and page"):
        summary = _summarise(ran, new, grades)
        page = write_grades_page(_first(grades, spec.shown), output / "page.html")
    stages, peak = _spent(ran, Store(output / "store"), jobs)
    summary |= {
        "seconds": {**stages, **clock.seconds},
        "peak_memory_mb": round(max(peak, clock.peak_mb), 1),
        "page": str(page),
        "report": str(shutil.copyfile(ran.report / "page.html", output / "report.html")),
        "bundle": str(output / "bundle"),
    }
    write_json(output / "summary.json", summary)
    return summary


def _forge_new(recipe: Recipe, folder: Path, spec: DemoSpec, on_progress: Progress) -> None:
    """Forge studies with another seed; whole folders of an earlier attempt are kept."""
    style = recipe.dataset.forge.style if recipe.dataset.forge else "clean"
    settings = {"studies": spec.studies, "seed": spec.seed, "style": style}
    mark = folder / ".forged.json"
    if mark.is_file() and json.loads(mark.read_text()) == settings:
        return
    shutil.rmtree(folder, ignore_errors=True)
    module, _ = settings_of("overread.datasets", {"use": recipe.dataset.use})
    module.forge(folder, **settings, on_progress=on_progress)
    write_json(mark, settings)


def _read(recipe: Recipe, folder: Path, on_progress: Progress) -> Dataset:
    choice = {"use": recipe.dataset.use, **recipe.dataset.settings}
    module, settings = settings_of("overread.datasets", choice)
    dataset: Dataset = module.read(settings, folder, on_progress=on_progress)
    return dataset


def _summarise(ran: Ran, new: Dataset, grades: Grades) -> dict[str, Any]:
    graph, recipe = ran.graph, ran.graph.recipe
    store = Store(ran.report.parents[1])
    train = load_dataset(store.folder(graph.read), Path())
    scores = scores_json(
        score_new(graph.rubric, train.labels, new.labels, grades.predictions(), recipe.scores)
    )
    metric = next(iter(scores[recipe.final]))
    final = scores[recipe.final][metric]
    truths = {name: spec.truth or name for name, spec in recipe.keypoints.items()}
    errors = {
        name: point_errors(
            new.keypoints.get(truth, {}),
            {one.study: one.keypoints[name] for one in grades.studies if name in one.keypoints},
        )
        for name, truth in truths.items()
    }
    return {
        "recipe": recipe.name,
        "metric": metric,
        "score": final["value"],
        "interval": [final["low"], final["high"]],
        "terms": {name: term["value"] for name, term in final.get("slices", {}).items()},
        "floors": {
            name: table[metric]["value"]
            for name, table in scores.items()
            if name.startswith("floor:")
        },
        "out_of_fold": {
            name: table[metric]["value"] for name, table in scores_json(ran.scores).items()
        },
        "keypoint_error_mm": {
            name: summarise_errors(table)["median"] for name, table in errors.items()
        },
        "keypoints": {name: summarise_errors(table) for name, table in errors.items()},
        "studies": {
            "trained": len(train.studies),
            "graded": sum(one.refused is None for one in grades.studies),
            "refused": sum(one.refused is not None for one in grades.studies),
        },
        "scores": scores,
    }


def _first(grades: Grades, count: int) -> Grades:
    return Grades(
        grades.rubric, grades.bundle, grades.recipe, grades.studies[:count], grades.findings
    )


def _spent(ran: Ran, store: Store, jobs: int) -> tuple[dict[str, float], float]:
    """Return seconds by stage over all attempts, and the most memory that its processes held."""
    seconds: dict[str, float] = {}
    peaks: list[float] = []
    for step in in_order(ran.graph.goals):
        entry = store.entry(step)
        if entry is not None:
            stage = step.stage.name
            seconds[stage] = round(seconds.get(stage, 0.0) + entry.manifest.wall_s, 3)
            peaks.append(entry.manifest.peak_memory_mb)
    return seconds, sum(nlargest(jobs, peaks))
