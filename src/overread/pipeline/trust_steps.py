"""The step that finds out how far the final predictor can be trusted, where a recipe asks. Pure."""

from collections.abc import Mapping
from typing import Any

from overread.pipeline.recipe import Recipe
from overread.pipeline.step import Later, Stage, Step
from overread.records import Rubric
from overread.shelf import settings_of

__all__ = ["trust_steps"]

TRUST = Stage("trust", 2, Later("trust"))


def trust_steps(
    recipe: Recipe, rubric: Rubric, ground: Mapping[str, Step], predictors: Mapping[str, Step]
) -> dict[str, Step]:
    """Return {"trust": step}, or nothing where the recipe does not ask.

    Args:
        recipe: asks, and names the final predictor.
        rubric: of its dataset.
        ground: "read", "folds" and, where studies are forged, "forge".
        predictors: {member or ensemble: step with its predictions}.
    """
    if recipe.trust is None:
        return {}
    asked = recipe.trust.members or recipe.trust.verdicts
    joined = recipe.ensembles.get(recipe.final) if asked else None
    settings: dict[str, Any] = dict(recipe.trust.identity())
    if joined is not None:
        settings["scores"] = [
            {"use": named.use, **settings_of("overread.scoring", named)[1].identity()}
            for named in recipe.scores
        ]
    members = {} if joined is None else {f"predictor.{n}": predictors[n] for n in joined.of}
    return {
        "trust": Step(
            TRUST,
            recipe.name_in_store,
            settings,
            {**ground, "final": predictors[recipe.final], **members},
            spec=(recipe.trust, recipe.scores, joined, rubric),
        )
    }
