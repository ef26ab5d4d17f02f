"""The steps of predictors: crops, networks, their answers, tables, and what joins them. Pure."""

from collections.abc import Mapping

from overread.pipeline.ground import Ground, settings_on_shelf
from overread.pipeline.locator_steps import trained
from overread.pipeline.recipe_checks import joined_by, joiner
from overread.pipeline.stages import cut, fit, join, predict, table
from overread.pipeline.step import Step

__all__ = ["add_ensembles", "cut_steps", "fit_steps", "prediction_step", "table_step"]


def cut_steps(ground: Ground, located: Mapping[str, Step]) -> dict[str, Step]:
    """Return the step of each view."""
    return {
        name: Step(
            cut.STAGE,
            name,
            view.identity(),
            {**ground.pixels, **({"around": located[view.around]} if view.around else {})},
            spec=(view, ground.rubric),
        )
        for name, view in ground.recipe.views.items()
    }


def fit_steps(ground: Ground, name: str, cuts: Mapping[str, Step]) -> dict[int, Step]:
    """Return {fold: training} of a member."""
    recipe, member = ground.recipe, ground.recipe.networks[name]
    settings = {**member.identity(), "model": settings_on_shelf("models", member.model)}
    return {
        fold: Step(
            fit.STAGE,
            f"{name}.fold{fold}",
            {**settings, "fold": fold, "seed": ground.seed(fold)},
            {**ground.split, **{f"view.{view}": cuts[view] for view in member.views}},
            spec=(member, recipe.views, ground.rubric),
            totals={
                **trained(fold, member.fit.epochs),
                "member_fold_trainings": 1,
                "member_checkpoints": 1,
            },
        )
        for fold in ground.fold_numbers
    }


def prediction_step(
    ground: Ground, name: str, fits: Mapping[int, Step], cuts: Mapping[str, Step]
) -> Step:
    """Return the step of a member's answers."""
    recipe, member = ground.recipe, ground.recipe.networks[name]
    return Step(
        predict.STAGE,
        name,
        {"predictor": name},
        {
            **ground.split,
            **{f"fold{fold}": step for fold, step in fits.items()},
            **{f"view.{view}": cuts[view] for view in member.views},
        },
        spec=(member, recipe.views, ground.rubric),
        totals={"members": 1},
    )


def table_step(ground: Ground, name: str) -> Step:
    """Return the step of a member whose answers are read from a table."""
    spec = ground.recipe.tables[name]
    return Step(
        table.STAGE,
        name,
        {**spec.identity(), "predictor": name},
        ground.split,
        spec=spec,
        totals={"members": 1},
    )


def add_ensembles(ground: Ground, predictors: dict[str, Step]) -> None:
    """Add the ensembles, each after those that it joins."""
    waiting = dict(ground.recipe.ensembles)
    while waiting:
        name = next(n for n in waiting if set(joined_by(waiting[n])) <= predictors.keys())
        named = waiting.pop(name)
        predictors[name] = Step(
            join.STAGE,
            name,
            {
                **settings_on_shelf("ensembling", joiner(named)),
                "of": list(joined_by(named)),
                "predictor": name,
            },
            {
                **ground.split,
                **{f"predictor.{one}": predictors[one] for one in joined_by(named)},
            },
            spec=(named, ground.rubric),
            totals={"ensembles": 1},
        )
