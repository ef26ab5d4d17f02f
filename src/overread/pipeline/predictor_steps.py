"""The steps of predictors: crops, networks, their answers, tables, and what joins them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from overread.pipeline.ground import Ground, settings_on_shelf
from overread.pipeline.locator_steps import fit_needs, trained
from overread.pipeline.recipe_reach import new_folds, trained_folds
from overread.pipeline.step import Later, Stage, Step

__all__ = ["Predicted", "cut_steps", "predictor_steps"]

CUT = Stage("cut", 1, Later("cut"), cache=True)
FIT = Stage("fit", 1, Later("fit"))
TEACH = Stage("teach", 1, Later("teach"))
PSEUDO = Stage("pseudo", 1, Later("pseudo"))
PREDICT = Stage("predict", 1, Later("predict"))
TABLE = Stage("table", 1, Later("table"))
JOIN = Stage("join", 1, Later("join"))

TRUTH = "truth"
# What decides how finished networks are asked, and not what they learn.
ONLY_ANSWERING = frozenset({"labels", "folds", "new", "seed", "flip"})


@dataclass(frozen=True, eq=False)
class Predicted:
    """Members and ensembles.

    Attributes:
        fits: {member: {fold: step}} of members that are networks.
        predictors: {member or ensemble: step} whose entry holds predictions.
    """

    fits: dict[str, Mapping[int, Step]] = field(default_factory=dict)
    predictors: dict[str, Step] = field(default_factory=dict)


def cut_steps(ground: Ground, located: Mapping[str, Step]) -> dict[str, Step]:
    """Return the step of each view."""
    return {
        name: Step(
            CUT,
            name,
            view.identity(),
            {**ground.pixels, **({"around": located[view.around]} if view.around else {})},
            spec=(view, ground.rubric),
        )
        for name, view in ground.recipe.views.items()
    }


def predictor_steps(ground: Ground, cuts: Mapping[str, Step]) -> Predicted:
    """Return the steps of all members and ensembles, each after those that it learns from."""
    made, recipe = Predicted(), ground.recipe
    waiting = dict(recipe.networks)
    while waiting:
        name = next(n for n in waiting if _teachers(ground, n) <= made.fits.keys())
        del waiting[name]
        made.fits[name] = _fits(ground, name, cuts, made)
        made.predictors[name] = _answers(ground, name, cuts, made.fits[name])
    for name in recipe.tables:
        made.predictors[name] = _table(ground, name)
    joining = dict(recipe.ensembles)
    while joining:
        name = next(n for n in joining if set(joining[n].of) <= made.predictors.keys())
        del joining[name]
        made.predictors[name] = _ensemble(ground, name, made.predictors)
    # In the order of the recipe, whichever was made first.
    order = [name for name in (*recipe.members, *made.predictors) if name in made.predictors]
    return Predicted(
        {name: made.fits[name] for name in recipe.networks},
        {name: made.predictors[name] for name in dict.fromkeys(order)},
    )


def _teachers(ground: Ground, name: str) -> set[str]:
    labels = ground.recipe.networks[name].labels
    return set() if labels == TRUTH else set(ground.recipe.pseudo[labels].members)


def _fits(ground: Ground, name: str, cuts: Mapping[str, Step], made: Predicted) -> dict[int, Step]:
    recipe, member = ground.recipe, ground.recipe.networks[name]
    settings = {key: value for key, value in member.identity().items() if key not in ONLY_ANSWERING}
    folds = trained_folds(recipe, member)
    return {
        fold: Step(
            FIT,
            f"{name}.fold{fold}",
            {
                **settings,
                "model": settings_on_shelf("models", member.model),
                "fold": fold,
                "seed": ground.seed(fold, own=member.seed),
            },
            {
                **ground.split,
                **{f"view.{view}": cuts[view] for view in member.views},
                **_labels(ground, name, fold, (cuts, made)),
            },
            spec=(member, recipe.views, ground.rubric),
            totals={
                **trained(member.fit.epochs, first=fold == folds[0]),
                "member_fold_trainings": 1,
            },
            needs=fit_needs(member.fit),
        )
        for fold in folds
    }


def _labels(
    ground: Ground, name: str, fold: int, before: tuple[Mapping[str, Step], Predicted]
) -> dict[str, Step]:
    """Return the step that fills the labels which a member's network of a fold learns from."""
    cuts, made = before
    labels = ground.recipe.networks[name].labels
    if labels == TRUTH:
        return {}
    spec = ground.recipe.pseudo[labels]
    honest = spec.teachers == "same_fold"
    said = {
        f"predictor.{one}": _taught(ground, one, fold, (cuts, made.fits[one]))
        if honest
        else made.predictors[one]
        for one in spec.members
    }
    return {
        "labels": Step(
            PSEUDO,
            f"{labels}.fold{fold}" if honest else labels,
            {"sources": [source.identity() for source in spec.sources]},
            {**ground.studies, **said},
            spec=spec,
        )
    }


def _taught(
    ground: Ground, name: str, fold: int, before: tuple[Mapping[str, Step], Mapping[int, Step]]
) -> Step:
    """Return what a teacher's network of a fold says of the studies that it may know."""
    cuts, fits = before
    return Step(
        TEACH,
        f"{name}.fold{fold}",
        {"predictor": name, "fold": fold, **_asking(ground, name)},
        {
            **ground.split,
            "network": fits[fold],
            **{f"view.{view}": cuts[view] for view in ground.recipe.networks[name].views},
        },
        spec=(ground.recipe.networks[name], ground.recipe.views, ground.rubric),
    )


def _asking(ground: Ground, name: str) -> dict[str, Any]:
    identity = ground.recipe.networks[name].identity()
    return {key: identity[key] for key in ("flip",) if key in identity}


def _answers(ground: Ground, name: str, cuts: Mapping[str, Step], fits: Mapping[int, Step]) -> Step:
    recipe, member = ground.recipe, ground.recipe.networks[name]
    new = new_folds(recipe, member)
    some = {"new": list(new)} if set(new) != set(fits) else {}
    return Step(
        PREDICT,
        name,
        {"predictor": name, **some, **_asking(ground, name)},
        {
            **ground.split,
            **{f"fold{fold}": step for fold, step in fits.items()},
            **{f"view.{view}": cuts[view] for view in member.views},
        },
        spec=(member, recipe.views, ground.rubric),
        totals={"members": 1},
    )


def _table(ground: Ground, name: str) -> Step:
    spec = ground.recipe.tables[name]
    return Step(
        TABLE,
        name,
        {**spec.identity(), "predictor": name},
        ground.split,
        spec=spec,
        totals={"members": 1},
    )


def _ensemble(ground: Ground, name: str, predictors: Mapping[str, Step]) -> Step:
    spec = ground.recipe.ensembles[name]
    return Step(
        JOIN,
        name,
        {
            **settings_on_shelf("ensembling", spec.joiner),
            **spec.own(),
            "predictor": name,
        },
        {**ground.split, **{f"predictor.{one}": predictors[one] for one in spec.of}},
        spec=(spec, ground.rubric),
        totals={"ensembles": 1},
    )
