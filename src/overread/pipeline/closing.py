"""The last steps of a recipe: what its predictors are worth, and the page about it. Pure."""

from collections.abc import Mapping
from typing import Any

from overread.pipeline.recipe import Recipe
from overread.pipeline.recipe_reach import caveats
from overread.pipeline.step import Later, Stage, Step
from overread.records import Rubric
from overread.shelf import settings_of

__all__ = ["report_step", "score_step"]

SCORE = Stage("score", 1, Later("score"))
REPORT = Stage("report", 2, Later("report"))


def score_step(
    recipe: Recipe, rubric: Rubric, ground: Mapping[str, Step], predictors: Mapping[str, Step]
) -> Step:
    """Return the step that scores all predictors.

    Args:
        recipe: names the metrics.
        rubric: of its dataset.
        ground: "read", "folds" and, where studies are forged, "forge".
        predictors: {member or ensemble: step with its predictions}.
    """
    settings: dict[str, Any] = {
        "scores": [
            {"use": named.use, **settings_of("overread.scoring", named)[1].identity()}
            for named in recipe.scores
        ]
    }
    if recipe.score_by != "unit":
        settings["by"] = recipe.score_by
    if recipe.role_weights:
        settings["role_weights"] = recipe.role_weights
    if recipe.compare:
        settings["compare"] = [list(pair) for pair in recipe.compare]
    return Step(
        SCORE,
        recipe.name_in_store,
        settings,
        {**ground, **_predicted(predictors)},
        spec=(recipe.scores, rubric, recipe.score_by, recipe.role_weights, recipe.compare),
    )


def report_step(
    recipe: Recipe, rubric: Rubric, ground: Mapping[str, Step], shown: Mapping[str, Step]
) -> Step:
    """Return the step that writes the page.

    Args:
        recipe: what the page is about.
        rubric: of its dataset.
        ground: "read", "folds" and, where studies are forged, "forge".
        shown: "score", "predictor.NAME", and as many as there are of "points.NAME", "view.NAME",
            "fit.NAME.foldN" and "locate_fit.NAME.foldN".
    """
    return Step(
        REPORT,
        recipe.name_in_store,
        {
            "recipe": recipe.name,
            "final": recipe.final,
            "about": recipe.about.identity(),
            **({"caveats": list(caveats(recipe))} if caveats(recipe) else {}),
        },
        {**ground, **shown},
        spec=(recipe, rubric),
    )


def _predicted(predictors: Mapping[str, Step]) -> dict[str, Step]:
    return {f"predictor.{name}": step for name, step in predictors.items()}
