"""What a recipe would do: its steps, done or to do, and what they add up to. Opens no image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from overread.pipeline.graph import Graph, build_graph, dataset_settings
from overread.pipeline.keys import digest_folder
from overread.pipeline.recipe import Recipe
from overread.pipeline.recipe_reach import caveats, checkpoints, slice_passes
from overread.pipeline.run import missing_steps
from overread.pipeline.step import Step, in_order
from overread.pipeline.store import Store, open_store, root_of

__all__ = [
    "Plan",
    "PlanError",
    "PlannedStep",
    "graph_of",
    "graphs_in_store",
    "plan",
    "plan_graph",
]

State = Literal["done", "begun", "to do", "not needed"]


class PlanError(ValueError):
    """A recipe cannot be planned for this data."""


@dataclass(frozen=True, eq=False)
class PlannedStep:
    """A step and how far it is: "not needed" is a cache whose readers are all done."""

    step: Step
    state: State


@dataclass(frozen=True, eq=False)
class Plan:
    """The steps of a recipe for one dataset and store.

    Attributes:
        graph: the steps by what they are for.
        steps: all of them, inputs first.
    """

    graph: Graph
    steps: tuple[PlannedStep, ...]

    @property
    def totals(self) -> dict[str, int]:
        """Return what the whole recipe takes, done or not.

        training_runs counts a locator's generation or a member once for all folds, fold_trainings
        each fold; the checkpoints are those with which the final predictor grades new studies;
        slice_passes_per_unit is what grading networks are shown in training.
        """
        names = (
            "training_runs",
            "fold_trainings",
            "fold_epochs",
            "locator_fold_trainings",
            "member_fold_trainings",
            "members",
            "ensembles",
        )
        totals = dict.fromkeys(names, 0)
        for planned in self.steps:
            for name, count in planned.step.totals.items():
                totals[name] = totals.get(name, 0) + count
        needed = checkpoints(self.graph.recipe, self.graph.recipe.final)
        return {
            **totals,
            "locator_checkpoints": needed["locators"],
            "member_checkpoints": needed["members"],
            "slice_passes_per_unit": slice_passes(self.graph.recipe, self.graph.rubric),
            "steps": len(self.steps),
        }

    @property
    def checkpoints(self) -> dict[str, dict[str, int]]:
        """Return {ensemble: networks that it needs for a new study, by kind}."""
        recipe = self.graph.recipe
        return {name: checkpoints(recipe, name) for name in recipe.ensembles}

    def count(self, state: State) -> int:
        """Return how many steps are in this state."""
        return sum(planned.state == state for planned in self.steps)

    def to_json(self) -> dict[str, Any]:
        """Return the layout of `plan --json`."""
        return {
            "recipe": self.graph.recipe.name,
            "final": self.graph.recipe.final,
            "steps": [
                {
                    "stage": planned.step.stage.name,
                    "name": planned.step.name,
                    "key": planned.step.key,
                    "state": planned.state,
                    "inputs": sorted({needed.id for needed in planned.step.inputs.values()}),
                }
                for planned in self.steps
            ],
            "done": self.count("done"),
            "to_do": self.count("to do") + self.count("begun"),
            "totals": self.totals,
            "checkpoints": self.checkpoints,
            "caveats": list(caveats(self.graph.recipe)),
        }


def plan(recipe: Recipe, data: Path | None, store: Path | str) -> Plan:
    """Return the steps of a recipe: which are done, which are to do.

    Args:
        recipe: read and checked.
        data: the dataset's folder; None where the recipe forges its studies.
        store: folder or URL of the store; need not exist.

    Raises:
        PlanError: if there is neither data nor `forge`, or the folder does not exist.
    """
    return plan_graph(graph_of(recipe, data, store), open_store(store))


def graph_of(recipe: Recipe, data: Path | None, store: Path | str) -> Graph:
    """Return the steps of a recipe for a folder of data."""
    forged = recipe.dataset.forge
    if data is None and forged is not None and forged.photos:
        raise PlanError(
            f"recipe {recipe.name} is forged from photographs: name their folder with --data"
        )
    if data is None and forged is None:
        raise PlanError(
            f"recipe {recipe.name} needs data: name its folder with --data "
            "(or let it forge phantoms: `dataset: {forge: {studies: 100}}`)"
        )
    if data is not None and not data.is_dir():
        raise PlanError(f"--data {data}: found no such folder, expected the dataset's folder")
    return build_graph(recipe, None if data is None else digest_folder(data, skip=root_of(store)))


def graphs_in_store(recipe: Recipe, store: Store) -> list[Graph]:
    """Return the steps of a recipe for every folder of data that the store has read for it.

    The data itself need not be there: its digest stands in the manifest of the `read` entry, or of
    the `forge` entry where photographs were made into studies.
    """
    graphs = [build_graph(recipe, None)] if recipe.dataset.forge is not None else []
    wanted = dataset_settings(recipe.dataset)
    for entry in store.entries():
        if entry.folder.parent.name in ("read", "forge") and not entry.unreadable:
            settings = entry.manifest.settings
            if settings.get("dataset") in (wanted, recipe.dataset.use) and "files" in settings:
                graphs.append(build_graph(recipe, settings["files"]))
    return graphs


def plan_graph(graph: Graph, store: Store) -> Plan:
    """Return how far the steps of a graph are."""
    missing = {step.id for step in missing_steps(graph.goals, store)}

    def state(step: Step) -> State:
        if step.id in missing:
            return "begun" if store.partial(step).is_dir() else "to do"
        return "done" if store.entry(step) else "not needed"

    return Plan(graph, tuple(PlannedStep(step, state(step)) for step in in_order(graph.goals)))
