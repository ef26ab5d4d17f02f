"""The steps of locators: draw, train, locate, generation after generation. Pure.

Networks of a later generation also learn from the points that the one before found in studies
without true points. Such a point of study s came from the network of s's fold, which never saw s.
It did see the other folds, so through these points a later network of fold k has met, at second
hand, what networks of other folds learnt from fold k.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from overread.inference import LocatorSpec, order_locators
from overread.learning import FitSpec
from overread.pipeline.ground import Ground, settings_on_shelf
from overread.pipeline.recipe import Recipe
from overread.pipeline.recipe_reach import trained_folds
from overread.pipeline.step import Later, Needs, Stage, Step

__all__ = ["Located", "error_steps", "fit_needs", "locator_steps", "trained"]

DRAW = Stage("draw", 1, Later("draw"), cache=True)
LOCATE_FIT = Stage("locate_fit", 1, Later("locate_fit"))
LOCATE = Stage("locate", 2, Later("locate"))
POINTS = Stage("points", 1, Later("points"))

# Whose networks look, and of which folds, is no matter of how they learn or find.
ONLY_CHOOSING = frozenset({"taught_by", "also", "of", "split", "folds", "new", "seed"})
# What a locator learns from does not change how it looks for points afterwards, and the reverse.
ONLY_LEARNING = frozenset(
    {
        *("fit", "later", "augment", "heat", "truth", "trust"),
        *("generations", "model", "learn", "absent", "repeat"),
        *ONLY_CHOOSING,
    }
)
ONLY_FINDING = frozenset({"decode", "chain", "flip", "take"})
ONLY_TRAINING = frozenset({"fit", "augment", "heat", "model", "turned", "counted"})


@dataclass(frozen=True, eq=False)
class Located:
    """Locators, trained and applied.

    Attributes:
        fits: {locator: {fold: step}} of the last generation; none for locators of others.
        found: {locator: step} of the last generation.
    """

    fits: dict[str, Mapping[int, Step]] = field(default_factory=dict)
    found: dict[str, Step] = field(default_factory=dict)


def locator_steps(ground: Ground) -> Located:
    """Return the steps of all locators, each after those that it needs."""
    located = Located()
    for name in order_locators(ground.recipe.keypoints):
        if ground.recipe.keypoints[name].of:
            located.fits[name], located.found[name] = {}, _joint(ground, name, located)
        else:
            located.fits[name], located.found[name] = _locator(ground, name, located.found)
    return located


def error_steps(ground: Ground, located: Located) -> list[Step]:
    """Return the steps that compare points with the truth."""
    return [
        Step(
            POINTS,
            name,
            {"truth": _truth(ground.recipe, name)},
            {**ground.studies, "points": step},
        )
        for name, step in located.found.items()
    ]


def _truth(recipe: Recipe, name: str) -> str:
    return recipe.keypoints[name].truth or name


def _around(spec: LocatorSpec, found: Mapping[str, Step]) -> dict[str, Step]:
    return {"around": found[spec.around]} if spec.around else {}


def _locator(
    ground: Ground, name: str, others: Mapping[str, Step]
) -> tuple[Mapping[int, Step], Step]:
    spec = ground.recipe.keypoints[name]
    around = _around(spec, others)
    fits: dict[int, Step] = {}
    found = others[spec.taught_by] if spec.taught_by else None
    for generation in range(spec.generations):
        earlier = fits
        previous = {"previous": found} if found else {}
        drawn = Step(
            DRAW,
            f"{name}.g{generation}",
            _drawing(ground, name, first=found is None),
            {**ground.pixels, **around, **previous, **ground.also(spec.also)},
            spec=spec,
        )
        fits = {
            fold: _locator_fit(ground, name, (generation, fold), drawn, earlier.get(fold))
            for fold in trained_folds(ground.recipe, spec)
        }
        found = _locate(
            ground,
            f"{name}.g{generation}",
            spec,
            {**around, **_networks("", ground.folds_of(spec.split), fits)},
            {"": spec},
        )
    if found is None:
        raise ValueError(f"locator {name} has no generation")
    return fits, found


def _joint(ground: Ground, name: str, located: Located) -> Step:
    """Return the step in which the networks of several locators look together."""
    spec, locators = ground.recipe.keypoints[name], ground.recipe.keypoints
    inputs = _around(spec, located.found)
    for part in spec.of:
        folds = ground.folds_of(locators[part].split)
        inputs |= _networks(f"{part}.", folds, located.fits[part])
    return _locate(ground, name, spec, inputs, {f"{part}.": locators[part] for part in spec.of})


def _networks(prefix: str, folds: Step, fits: Mapping[int, Step]) -> dict[str, Step]:
    networks = {f"{prefix}fold{fold}": step for fold, step in fits.items()}
    return {f"{prefix}folds": folds, **networks}


def _locate(
    ground: Ground,
    name: str,
    spec: LocatorSpec,
    inputs: Mapping[str, Step],
    parts: Mapping[str, LocatorSpec],
) -> Step:
    return Step(
        LOCATE,
        name,
        _without(spec.identity(), ONLY_LEARNING),
        {**ground.pixels, **inputs},
        spec=(spec, parts),
    )


def _drawing(ground: Ground, name: str, *, first: bool) -> dict[str, Any]:
    spec = ground.recipe.keypoints[name]
    settings = _without(
        spec.identity(), ONLY_FINDING | ONLY_TRAINING | ONLY_CHOOSING | {"generations"}
    )
    if first:
        settings.pop("trust")
    return {**settings, "truth": _truth(ground.recipe, name)}


def _locator_fit(
    ground: Ground, name: str, which: tuple[int, int], drawn: Step, earlier: Step | None
) -> Step:
    generation, fold = which
    spec: LocatorSpec = ground.recipe.keypoints[name]
    spec = spec.model_copy(update={"fit": spec.later}) if earlier and spec.later else spec
    learnt = {key: value for key, value in spec.identity().items() if key in ONLY_TRAINING}
    return Step(
        LOCATE_FIT,
        f"{name}.g{generation}.fold{fold}",
        {
            **learnt,
            "model": settings_on_shelf("models", spec.model),
            "fold": fold,
            "seed": ground.seed(fold, generation, own=spec.seed),
        },
        {
            **ground.studies,
            "folds": ground.folds_of(spec.split),
            "draw": drawn,
            **({"earlier": earlier} if earlier else {}),
        },
        spec=spec,
        totals={
            **trained(spec.fit.epochs, first=fold == trained_folds(ground.recipe, spec)[0]),
            "locator_fold_trainings": 1,
        },
        needs=fit_needs(spec.fit),
    )


def trained(epochs: int, *, first: bool) -> dict[str, int]:
    """Return what one training adds to the plan's counts; a run is counted with its first fold."""
    return {"training_runs": int(first), "fold_trainings": 1, "fold_epochs": epochs}


def fit_needs(fit: FitSpec) -> Needs:
    """Return what one training asks of a cluster."""
    return Needs(fit.cores, fit.device, fit.devices, fit.nodes)


def _without(settings: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in names}
