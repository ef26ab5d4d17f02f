"""A recipe from its file to its scores: plan, run, and say what came of it."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overread.models import flush_denormals, keep_memory
from overread.pipeline.graph import Graph
from overread.pipeline.plan import PlanError, graph_of
from overread.pipeline.recipe import Recipe
from overread.pipeline.run import Event, Listener, StepResult, run_steps, summary
from overread.pipeline.stages.score import load_scores
from overread.pipeline.step import Context
from overread.pipeline.store import Store, open_store
from overread.records import Scores

__all__ = ["Ran", "finished", "run", "scores_json"]


def unseen(event: Event) -> None:
    """Show nothing."""


@dataclass(frozen=True, eq=False)
class Ran:
    """What came of a run.

    Attributes:
        graph: the steps.
        results: how each came to be there.
        broken: {study id: why} of studies that were set aside.
        scores: of all predictors and floors.
        report: folder of the report.
    """

    graph: Graph
    results: tuple[StepResult, ...]
    broken: dict[str, str]
    scores: Scores
    report: Path

    def copy_report(self, folder: Path) -> Path:
        """Copy the report to a new folder.

        Raises:
            FileExistsError: if there is something already.
        """
        if folder.exists():
            raise FileExistsError(f"{folder} exists; choose a new folder")
        shutil.copytree(self.report, folder, ignore=shutil.ignore_patterns("manifest.json"))
        return folder

    def to_json(self) -> dict[str, Any]:
        """Return the layout of `run --json`."""
        return {
            "recipe": self.graph.recipe.name,
            "final": self.graph.recipe.final,
            "scores": scores_json(self.scores),
            "broken": self.broken,
            "steps": summary(self.results),
            "report": str(self.report),
        }


def scores_json(scores: Scores) -> dict[str, dict[str, dict[str, Any]]]:
    """Return {predictor: {metric: {value, low, high, n, ...}}}.

    Rows of one target or slice stand under "targets" and "slices" of their metric.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in scores.frame.iter_rows(named=True):
        metric = found.setdefault(row["predictor"], {}).setdefault(row["metric"], {})
        numbers = {name: row[name] for name in ("value", "low", "high", "n")}
        if row["target"] is None and row["slice"] is None:
            metric |= numbers
        elif row["slice"] is None:
            metric.setdefault("targets", {})[row["target"]] = numbers
        else:
            name = row["slice"] if row["target"] is None else f"{row['target']}@{row['slice']}"
            metric.setdefault("slices", {})[name] = numbers
    return found


def run(
    recipe: Recipe,
    data: Path | None,
    store: Path | str,
    *,
    workers: int = 1,
    jobs: int = 1,
    ray: str | None = None,
    listen: Listener = unseen,
) -> Ran:
    """Make what a recipe lacks in a store; a finished step is never made again.

    Args:
        recipe: read and checked.
        data: the dataset's folder; None where the recipe forges its studies.
        store: folder of the store, made if need be, or a URL such as "s3://bucket/runs".
        workers: studies worked on at a time.
        jobs: steps made at a time, such as the folds of a training. More than one, and each is
            made by a process with its share of the cores: a script that asks for it must be
            guarded by `if __name__ == "__main__":`. On a CPU the last bits of a training depend
            on its share of the cores, so resume with the same number for the same bits.
        ray: address of a Ray cluster that makes the steps instead, such as "10.0.0.5:6379"; store
            and data must lie where all its machines see them.
        listen: told what goes on.

    Raises:
        PlanError: if there is no data.
        RunError: if a step fails, or more studies are broken than the recipe allows.
    """
    flush_denormals()
    keep_memory()
    graph, opened = graph_of(recipe, data, store), open_store(store)
    context = Context(data=data, workers=workers, jobs=jobs, max_broken=recipe.max_broken, ray=ray)
    results = run_steps(graph.goals, opened, context, listen=listen)
    return _collect(graph, opened, tuple(results))


def finished(recipe: Recipe, data: Path | None, store: Path | str) -> Ran:
    """Return what came of an earlier run.

    Raises:
        PlanError: if it has not ended.
    """
    graph = graph_of(recipe, data, store)
    opened = open_store(store)
    if opened.entry(graph.report) is None:
        raise PlanError(f"recipe {recipe.name} is not finished in {store}; run it first")
    return _collect(graph, opened, ())


def _collect(graph: Graph, store: Store, results: tuple[StepResult, ...]) -> Ran:
    last = store.entry(graph.report)
    return Ran(
        graph,
        results,
        dict(last.manifest.broken) if last else {},
        load_scores(store.bring(graph.score)),
        store.bring(graph.report),
    )
