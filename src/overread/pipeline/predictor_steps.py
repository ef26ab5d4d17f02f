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
EMBED = Stage("embed", 1, Later("embed"), cache=True)
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
    for name in recipe.tables:
        made.predictors[name] = _table(ground, name)
    waiting = [*recipe.networks, *recipe.ensembles]
    while waiting:
        name = next(n for n in waiting if _needed(ground, n) <= made.predictors.keys())
        waiting.remove(name)
        if name in recipe.ensembles:
            made.predictors[name] = _ensemble(ground, name, made.predictors)
            continue
        made.fits[name] = _fits(ground, name, cuts, made)
        made.predictors[name] = _answers(ground, name, cuts, made.fits)
    # In the order of the recipe, whichever was made first.
    order = [name for name in (*recipe.members, *made.predictors) if name in made.predictors]
    return Predicted(
        {name: made.fits[name] for name in recipe.networks},
        {name: made.predictors[name] for name in dict.fromkeys(order)},
    )


def _needed(ground: Ground, name: str) -> set[str]:
    """Return the predictors that come before: it joins them, learns from them, or reads them."""
    if name in ground.recipe.ensembles:
        return set(ground.recipe.ensembles[name].of)
    member = ground.recipe.networks[name]
    taught = () if member.labels == TRUTH else ground.recipe.pseudo[member.labels].members
    return {*taught, *member.embeds}


def _given(
    ground: Ground, name: str, cuts: Mapping[str, Step], fits: Mapping[str, Mapping[int, Step]]
) -> dict[str, Step]:
    """Return the steps that hold what a member's networks are given: crops, or embeddings."""
    recipe, member = ground.recipe, ground.recipe.networks[name]
    found = {f"view.{view}": cuts[view] for view in member.views}
    for other, spec in member.embeds.items():
        found[f"embed.{other}"] = Step(
            EMBED,
            other,
            {"predictor": other, "embed": spec.identity(), **_asking(ground, other)},
            {
                **ground.split,
                **{f"fold{fold}": step for fold, step in fits[other].items()},
                **_given(ground, other, cuts, fits),
            },
            spec=(recipe.networks[other], recipe.views, ground.rubric),
        )
    return found


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
                **_given(ground, name, cuts, made.fits),
                **_strangers(ground, name),
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
    if spec.external:
        said = _told_of_strangers(ground, labels, (fold,) if honest else None, made.fits)
    else:
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
            {
                "sources": [source.identity() for source in spec.sources],
                **({} if spec.doubt is None else {"doubt": spec.doubt}),
                **({"external": list(spec.external)} if spec.external else {}),
                **({"truth": spec.truth} if spec.truth != 1 else {}),
            },
            {**ground.studies, **said},
            spec=spec,
        )
    }


def _strangers(ground: Ground, name: str) -> dict[str, Step]:
    """Return the steps that hold external studies which a member learns from besides."""
    member = ground.recipe.networks[name]
    if member.labels == TRUTH:
        return {}
    found: dict[str, Step] = {}
    for dataset in ground.recipe.pseudo[member.labels].external:
        found[f"also.{dataset}.read"] = ground.external[dataset]
        for view, step in _cut_strangers(ground, name, dataset).items():
            found[f"also.{dataset}.{view}"] = step
    return found


def _cut_strangers(ground: Ground, name: str, dataset: str) -> dict[str, Step]:
    """Return {"view.NAME": step} of the views of a member, cut from an external dataset."""
    also = ground.also([dataset])
    pixels = {kind: also[f"also.{dataset}.{kind}"] for kind in ("read", "decode")}
    views = ground.recipe.views
    return {
        f"view.{view}": Step(
            CUT,
            f"{view}.{dataset}",
            views[view].identity(),
            {**pixels, **ground.sources},
            spec=(views[view], ground.rubric),
        )
        for view in ground.recipe.networks[name].views
    }


def _told_of_strangers(
    ground: Ground,
    labels: str,
    folds: tuple[int, ...] | None,
    fits: Mapping[str, Mapping[int, Step]],
) -> dict[str, Step]:
    """Return what teachers' networks of some folds (None = all) say of external studies."""
    recipe = ground.recipe
    return {
        f"predictor.{one}@{dataset}.{fold}": Step(
            TEACH,
            f"{one}.{dataset}.fold{fold}",
            {"predictor": one, "fold": fold, **_asking(ground, one)},
            {
                "read": ground.external[dataset],
                **ground.sources,
                "network": fits[one][fold],
                **_cut_strangers(ground, one, dataset),
            },
            spec=(recipe.networks[one], recipe.views, ground.rubric),
        )
        for dataset in recipe.pseudo[labels].external
        for one in recipe.pseudo[labels].members
        for fold in (fits[one] if folds is None else folds)
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


def _answers(
    ground: Ground, name: str, cuts: Mapping[str, Step], fits: Mapping[str, Mapping[int, Step]]
) -> Step:
    recipe, member = ground.recipe, ground.recipe.networks[name]
    new = new_folds(recipe, member)
    some = {"new": list(new)} if set(new) != set(fits[name]) else {}
    return Step(
        PREDICT,
        name,
        {"predictor": name, **some, **_asking(ground, name)},
        {
            **ground.split,
            **{f"fold{fold}": step for fold, step in fits[name].items()},
            **_given(ground, name, cuts, fits),
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
