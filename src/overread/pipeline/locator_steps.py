"""The steps of locators: draw, train, locate, generation after generation. Pure.

A locator of several generations: the networks of generation g + 1 also learn from the points that
generation g found in studies without true points. Such a point of study s came from the network of
s's fold, which never saw s. It did see the other folds, so through these points a later network of
fold k has met, at second hand, what networks of other folds learnt from fold k.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from overread.inference import LocatorSpec, order_locators
from overread.pipeline.ground import Ground, settings_on_shelf
from overread.pipeline.recipe import Recipe
from overread.pipeline.stages import draw, locate, locate_fit, points
from overread.pipeline.step import Step

__all__ = ["Located", "error_steps", "locator_steps", "trained"]

# What a locator learns from does not change how it looks for points afterwards, and the reverse.
ONLY_LEARNING = frozenset(
    {
        *("fit", "later", "augment", "heat", "truth", "trust"),
        *("generations", "model", "learn", "absent", "repeat"),
    }
)
ONLY_FINDING = frozenset({"decode", "chain", "flip", "take"})
ONLY_TRAINING = frozenset({"fit", "augment", "heat", "model", "turned", "counted"})


@dataclass(frozen=True, eq=False)
class Located:
    """Locators, trained and applied.

    Attributes:
        fits: {locator: {fold: step}} of the last generation.
        found: {locator: step} of the last generation.
    """

    fits: dict[str, Mapping[int, Step]] = field(default_factory=dict)
    found: dict[str, Step] = field(default_factory=dict)


def locator_steps(ground: Ground) -> Located:
    """Return the steps of all locators, each after the one that it looks around."""
    located = Located()
    for name in order_locators(ground.recipe.keypoints):
        located.fits[name], located.found[name] = _locator(ground, name, located.found)
    return located


def error_steps(ground: Ground, located: Located) -> list[Step]:
    """Return the steps that compare points with the truth."""
    return [
        Step(
            points.STAGE,
            name,
            {"truth": _truth(ground.recipe, name)},
            {**ground.studies, "points": step},
        )
        for name, step in located.found.items()
    ]


def _truth(recipe: Recipe, name: str) -> str:
    return recipe.keypoints[name].truth or name


def _locator(
    ground: Ground, name: str, located: Mapping[str, Step]
) -> tuple[Mapping[int, Step], Step]:
    spec = ground.recipe.keypoints[name]
    around = {"around": located[spec.around]} if spec.around else {}
    fits: dict[int, Step] = {}
    found: Step | None = None
    for generation in range(spec.generations):
        earlier = fits
        previous = {"previous": found} if found else {}
        drawn = Step(
            draw.STAGE,
            f"{name}.g{generation}",
            _drawing(ground, name, generation),
            {**ground.pixels, **around, **previous},
            spec=spec,
        )
        fits = {
            fold: _locator_fit(ground, name, (generation, fold), drawn, earlier.get(fold))
            for fold in ground.fold_numbers
        }
        found = Step(
            locate.STAGE,
            f"{name}.g{generation}",
            _without(spec.identity(), ONLY_LEARNING),
            {
                **ground.pixels,
                **around,
                "folds": ground.folds,
                **{f"fold{fold}": step for fold, step in fits.items()},
            },
            spec=spec,
        )
    if found is None:
        raise ValueError(f"locator {name} has no generation")
    return fits, found


def _drawing(ground: Ground, name: str, generation: int) -> dict[str, Any]:
    spec = ground.recipe.keypoints[name]
    settings = _without(spec.identity(), ONLY_FINDING | ONLY_TRAINING | {"generations"})
    if generation == 0:
        settings.pop("trust")
    return {**settings, "truth": _truth(ground.recipe, name)}


def _locator_fit(
    ground: Ground, name: str, which: tuple[int, int], drawn: Step, earlier: Step | None
) -> Step:
    generation, fold = which
    spec: LocatorSpec = ground.recipe.keypoints[name]
    spec = spec.model_copy(update={"fit": spec.later}) if earlier and spec.later else spec
    learnt = {key: value for key, value in spec.identity().items() if key in ONLY_TRAINING}
    last = generation == spec.generations - 1
    return Step(
        locate_fit.STAGE,
        f"{name}.g{generation}.fold{fold}",
        {
            **learnt,
            "model": settings_on_shelf("models", spec.model),
            "fold": fold,
            "seed": ground.seed(fold, generation),
        },
        {**ground.split, "draw": drawn, **({"earlier": earlier} if earlier else {})},
        spec=spec,
        totals={
            **trained(fold, spec.fit.epochs),
            "locator_fold_trainings": 1,
            "locator_checkpoints": int(last),
        },
    )


def trained(fold: int, epochs: int) -> dict[str, int]:
    """Return what one training adds to the plan's counts."""
    return {"training_runs": int(fold == 0), "fold_trainings": 1, "fold_epochs": epochs}


def _without(settings: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in names}
