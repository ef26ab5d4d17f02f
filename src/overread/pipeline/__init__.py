"""Recipe -> plan -> what is missing is run, each step kept under the hash of what decides it."""

import typing

from overread import shelf

if typing.TYPE_CHECKING:
    from overread.pipeline.bundling import bundle_recipe, make_bundle
    from overread.pipeline.crew import default_jobs
    from overread.pipeline.driver import Ran, finished, run
    from overread.pipeline.graph import Graph, build_graph
    from overread.pipeline.plan import Plan, PlanError, PlannedStep, graph_of, graphs_in_store, plan
    from overread.pipeline.recipe import (
        Recipe,
        RecipeError,
        read_recipe,
        recipe_schema,
        resolved_part,
        resolved_recipe,
    )
    from overread.pipeline.recipes import find_recipe, shipped_recipes
    from overread.pipeline.run import Event, Listener, RunError, StepResult, run_steps
    from overread.pipeline.scoring import score_tables
    from overread.pipeline.step import Context, Needs, Outcome, Stage, Step, Task
    from overread.pipeline.store import Entry, Manifest, Store, StoreError, open_store
    from overread.pipeline.upkeep import Difference, prune, verify, why
else:
    __getattr__ = shelf.open_when_used(__name__)

__all__ = [
    "Context",
    "Difference",
    "Entry",
    "Event",
    "Graph",
    "Listener",
    "Manifest",
    "Needs",
    "Outcome",
    "Plan",
    "PlanError",
    "PlannedStep",
    "Ran",
    "Recipe",
    "RecipeError",
    "RunError",
    "Stage",
    "Step",
    "StepResult",
    "Store",
    "StoreError",
    "Task",
    "build_graph",
    "bundle_recipe",
    "default_jobs",
    "find_recipe",
    "finished",
    "graph_of",
    "graphs_in_store",
    "make_bundle",
    "open_store",
    "plan",
    "prune",
    "read_recipe",
    "recipe_schema",
    "resolved_part",
    "resolved_recipe",
    "run",
    "run_steps",
    "score_tables",
    "shipped_recipes",
    "verify",
    "why",
]
