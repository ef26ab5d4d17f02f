"""The networks of a finished run, collected into a bundle that grades new studies.

Only what the final predictor needs goes in. What a bundle is stands in `inference`.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import safetensors.numpy

from overread.inference import Bundle, BundleRecipe
from overread.inference.ranges import measure_ranges
from overread.pipeline.dataset_files import load_dataset
from overread.pipeline.distilled import distilled_card
from overread.pipeline.driver import scores_json
from overread.pipeline.graph import Graph, dataset_settings
from overread.pipeline.networks import load_state
from overread.pipeline.plan import PlanError, graph_of
from overread.pipeline.recipe import Recipe
from overread.pipeline.recipe_reach import new_folds, predictors_of, seen_locators
from overread.pipeline.stages.folds import load_folds
from overread.pipeline.stages.join import LEARNT
from overread.pipeline.stages.score import load_scores
from overread.pipeline.step import Step
from overread.pipeline.store import Store, open_store
from overread.shelf import Named, nearest

__all__ = ["bundle_recipe", "make_bundle"]


def make_bundle(
    recipe: Recipe,
    data: Path | None,
    store: Path | str,
    output: Path,
    *,
    predictor: str | None = None,
) -> str:
    """Write a bundle to a new folder and return its hash.

    Args:
        recipe: that was run.
        data: the dataset's folder.
        store: where the run is.
        output: a new folder.
        predictor: whose answers the bundle gives, such as a student's, with the networks that it
            needs and no others; None = the recipe's final one. Sets of grades, which were made for
            the final one, are left out with any other.

    Raises:
        PlanError: if the run is not finished; names the first step that lacks.
        BundleError: if the folder is not empty.
    """
    if predictor not in (None, recipe.final):
        recipe = _with_final(recipe, str(predictor))
    shelf, graph = open_store(store), graph_of(recipe, data, store)
    content = bundle_recipe(recipe)
    for step in _needed(graph, content):
        if shelf.entry(step) is None:
            raise PlanError(f"{step.label} is not finished in {store}; run the recipe first")
    bundle = Bundle(
        content,
        graph.rubric,
        {name: _states(shelf, _new_locators(graph, name)) for name in content.locators},
        {name: _states(shelf, _new_members(graph, name)) for name in content.members},
        {name: _learnt(shelf, graph.predictors[name]) for name in content.ensembles},
        _card(shelf, graph),
        thresholds=_thresholds(shelf, graph),
    )
    return bundle.save(output)


def _with_final(recipe: Recipe, name: str) -> Recipe:
    known = (*recipe.members, *recipe.ensembles)
    if name not in known:
        raise PlanError(f'recipe {recipe.name} has no predictor "{name}"; {nearest(name, known)}')
    return recipe.model_copy(update={"final": name, "trust": None})


def bundle_recipe(recipe: Recipe) -> BundleRecipe:
    """Return the part of a recipe that its final predictor needs."""
    wanted = predictors_of(recipe, recipe.final)
    members = {name: spec for name, spec in recipe.networks.items() if name in wanted}
    views = {
        name: view
        for name, view in recipe.views.items()
        if any(name in member.views for member in members.values())
    }
    locators = seen_locators(recipe, members)
    return BundleRecipe(
        name=recipe.name,
        dataset=Named.model_validate(dataset_settings(recipe.dataset)),
        locators={name: spec for name, spec in recipe.keypoints.items() if name in locators},
        views=views,
        members=members,
        tables={name: spec for name, spec in recipe.tables.items() if name in wanted},
        ensembles={name: spec for name, spec in recipe.ensembles.items() if name in wanted},
        final=recipe.final,
        sets=recipe.trust.sets if recipe.trust else None,
        decisions=recipe.trust.decisions if recipe.trust else None,
    )


def _needed(graph: Graph, content: BundleRecipe) -> Iterable[Step]:
    for name in content.locators:
        yield from _new_locators(graph, name).values()
    for name in content.members:
        yield from _new_members(graph, name).values()
    for name in (*content.tables, *content.ensembles):
        yield graph.predictors[name]
    yield graph.score
    yield graph.read
    yield graph.folds
    if "trust" in graph.report.inputs:
        yield graph.report.inputs["trust"]


def _new_locators(graph: Graph, name: str) -> Mapping[int, Step]:
    """Return the networks of a locator that look at new studies."""
    folds = new_folds(graph.recipe, graph.recipe.keypoints[name])
    return {fold: graph.locator_fits[name][fold] for fold in folds}


def _new_members(graph: Graph, name: str) -> Mapping[int, Step]:
    """Return the networks of a member that answer for new studies."""
    folds = new_folds(graph.recipe, graph.recipe.networks[name])
    return {fold: graph.fits[name][fold] for fold in folds}


def _states(store: Store, fits: Mapping[int, Step]) -> dict[int, Any]:
    return {fold: load_state(store.bring(step)) for fold, step in fits.items()}


def _learnt(store: Store, step: Step) -> dict[str, Any]:
    path = store.bring(step) / LEARNT
    return dict(safetensors.numpy.load_file(path)) if path.is_file() else {}


def _thresholds(store: Store, graph: Graph) -> dict[str, Any]:
    from overread.pipeline.stages.trust import load_thresholds  # with pages and figures

    step = graph.report.inputs.get("trust")
    return {} if step is None else load_thresholds(store.bring(step))


def _card(store: Store, graph: Graph) -> dict[str, Any]:
    recipe = graph.recipe
    dataset = load_dataset(store.bring(graph.read), Path())
    scores = scores_json(load_scores(store.bring(graph.score)))
    shown = {name: table for name, table in scores.items() if _shown(name, recipe.final)}
    kept = distilled_card(store, graph, dataset.labels, recipe.final)
    return {
        **({"distilled": kept} if kept else {}),
        "about": recipe.about.model_dump(mode="json"),
        "date": datetime.now(UTC).date().isoformat(),
        "studies": dataset.num_studies,
        "subjects": len(dataset.subjects),
        "folds": load_folds(store.bring(graph.folds)).count,
        "forged": recipe.dataset.forge is not None and "forge" in graph.read.inputs,
        "scores": shown,
        "ranges": measure_ranges(dataset.studies),
        "steps": sorted(step.id for step in graph.goals),
    }


def _shown(predictor: str, final: str) -> bool:
    return predictor == final or predictor.startswith("floor:")
