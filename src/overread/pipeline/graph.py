"""From a recipe to its steps. Pure: nothing is read, nothing is run.

One split for all learners; a study is always located and graded by networks that have not seen its
subject. A locator of several generations: the networks of generation g + 1 also learn from the
points that generation g found in studies without true points. Such a point of study s came from
the network of s's fold, which never saw s. It did see the other folds, so through these points a
later network of fold k has met, at second hand, what networks of other folds learnt from fold k.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from overread.inference import LocatorSpec, order_locators
from overread.pipeline.closing import report_step, score_step
from overread.pipeline.recipe import DatasetChoice, Recipe, rubric_of
from overread.pipeline.recipe_checks import joined_by, joiner
from overread.pipeline.stages import (
    cut,
    decode,
    draw,
    fit,
    folds,
    forge,
    join,
    locate,
    locate_fit,
    points,
    predict,
    read,
)
from overread.pipeline.step import Step
from overread.records import Rubric
from overread.shelf import Named, settings_of

__all__ = ["Graph", "build_graph", "dataset_settings"]

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
class Graph:
    """The steps of a recipe.

    Attributes:
        recipe, rubric: what they were made from.
        read, folds: steps of the dataset; `read` reads from a `forge` step where there is one.
        locator_fits: {locator: {fold: step}} of the last generation.
        located: {locator: step} of the last generation.
        fits: {member: {fold: step}}.
        predictors: {member or ensemble: step} whose entry holds predictions.
        score, report: the last steps.
        extra: further goals, such as the errors of the points.
    """

    recipe: Recipe
    rubric: Rubric
    read: Step
    folds: Step
    locator_fits: Mapping[str, Mapping[int, Step]]
    located: Mapping[str, Step]
    fits: Mapping[str, Mapping[int, Step]]
    predictors: Mapping[str, Step]
    score: Step
    report: Step
    extra: Sequence[Step] = field(default_factory=tuple)

    @property
    def goals(self) -> tuple[Step, ...]:
        """The steps that must be there in the end: all but the caches."""
        networks = [
            step
            for table in (self.locator_fits, self.fits)
            for fits in table.values()
            for step in fits.values()
        ]
        return (*networks, *self.predictors.values(), *self.extra, self.score, self.report)


@dataclass(frozen=True, eq=False)
class _Ground:
    """What all later steps read."""

    recipe: Recipe
    rubric: Rubric
    read: Step
    decode: Step
    folds: Step
    sources: Mapping[str, Step]  # the forge step, where there is one: it holds the files

    @property
    def studies(self) -> dict[str, Step]:
        return {"read": self.read, **self.sources}

    @property
    def pixels(self) -> dict[str, Step]:
        return {**self.studies, "decode": self.decode}

    def seed(self, fold: int, generation: int = 0) -> int:
        """Return a seed of its own for each training of the recipe."""
        return self.recipe.seed * 1_000_000 + generation * 1_000 + fold


def dataset_settings(dataset: DatasetChoice) -> dict[str, Any]:
    """Return name and settings of the dataset, defaults included."""
    return _named("datasets", Named.model_validate({"use": dataset.use, **dataset.settings}))


def _named(room: str, named: Named) -> dict[str, Any]:
    _, spec = settings_of(f"overread.{room}", named)
    return {"use": named.use, **spec.identity()}


def build_graph(recipe: Recipe, files: Mapping[str, Any] | None) -> Graph:
    """Return the steps of a recipe.

    Args:
        recipe: read and checked.
        files: digest of the dataset's folder; None = the studies are forged.
    """
    ground = _ground(recipe, files)
    located: dict[str, Step] = {}
    locator_fits: dict[str, Mapping[int, Step]] = {}
    for name in order_locators(recipe.keypoints):
        locator_fits[name], located[name] = _locator(ground, name, located)
    errors = [
        Step(
            points.STAGE, name, {"truth": _truth(recipe, name)}, {**ground.studies, "points": step}
        )
        for name, step in located.items()
    ]
    cuts = _cuts(ground, located)
    fits = {name: _member_fits(ground, name, cuts) for name in recipe.members}
    predictors = {name: _member_predictions(ground, name, fits[name], cuts) for name in fits}
    _join(ground, predictors)
    base = {**ground.studies, "folds": ground.folds}
    scored = score_step(recipe, ground.rubric, base, predictors)
    shown = {
        "score": scored,
        **{f"points.{step.name}": step for step in errors},
        **{f"view.{name}": step for name, step in cuts.items() if name in _seen(recipe)},
        **{f"predictor.{name}": step for name, step in predictors.items()},
        **_fitted("locate_fit", locator_fits),
        **_fitted("fit", fits),
    }
    return Graph(
        recipe=recipe,
        rubric=ground.rubric,
        read=ground.read,
        folds=ground.folds,
        locator_fits=locator_fits,
        located=located,
        fits=fits,
        predictors=predictors,
        score=scored,
        report=report_step(recipe, ground.rubric, base, shown),
        extra=tuple(errors),
    )


def _seen(recipe: Recipe) -> set[str]:
    return {view for member in recipe.members.values() for view in member.views}


def _fitted(kind: str, fits: Mapping[str, Mapping[int, Step]]) -> dict[str, Step]:
    return {
        f"{kind}.{name}.fold{fold}": step
        for name, folds_of in fits.items()
        for fold, step in folds_of.items()
    }


def _ground(recipe: Recipe, files: Mapping[str, Any] | None) -> _Ground:
    dataset, name = dataset_settings(recipe.dataset), recipe.dataset.use.rsplit(".", 1)[-1]
    rubric = rubric_of(recipe)
    sources: dict[str, Step] = {}
    settings: dict[str, Any] = {"dataset": dataset}
    if files is not None:
        settings["files"] = dict(files)
    elif recipe.dataset.forge is not None:
        forged = {"dataset": recipe.dataset.use, **recipe.dataset.forge.identity()}
        sources["forge"] = Step(forge.STAGE, name, forged)
    reading = Step(read.STAGE, name, settings, sources)
    decoded = Step(decode.STAGE, name, {}, {"read": reading, **sources})
    split = Step(
        folds.STAGE,
        name,
        recipe.folds.identity(),
        {"read": reading, **sources},
        spec=(recipe.folds, rubric),
    )
    return _Ground(recipe, rubric, reading, decoded, split, sources)


def _truth(recipe: Recipe, name: str) -> str:
    return recipe.keypoints[name].truth or name


def _locator(
    ground: _Ground, name: str, located: Mapping[str, Step]
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
            for fold in range(ground.recipe.folds.count)
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


def _drawing(ground: _Ground, name: str, generation: int) -> dict[str, Any]:
    spec = ground.recipe.keypoints[name]
    settings = _without(spec.identity(), ONLY_FINDING | ONLY_TRAINING | {"generations"})
    if generation == 0:
        settings.pop("trust")
    return {**settings, "truth": _truth(ground.recipe, name)}


def _locator_fit(
    ground: _Ground, name: str, which: tuple[int, int], drawn: Step, earlier: Step | None
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
            "model": _named("models", spec.model),
            "fold": fold,
            "seed": ground.seed(fold, generation),
        },
        {
            **ground.studies,
            "draw": drawn,
            "folds": ground.folds,
            **({"earlier": earlier} if earlier else {}),
        },
        spec=spec,
        totals={
            **_trained(fold, spec.fit.epochs),
            "locator_fold_trainings": 1,
            "locator_checkpoints": int(last),
        },
    )


def _trained(fold: int, epochs: int) -> dict[str, int]:
    return {"training_runs": int(fold == 0), "fold_trainings": 1, "fold_epochs": epochs}


def _without(settings: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in names}


def _cuts(ground: _Ground, located: Mapping[str, Step]) -> dict[str, Step]:
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


def _member_fits(ground: _Ground, name: str, cuts: Mapping[str, Step]) -> dict[int, Step]:
    recipe, member = ground.recipe, ground.recipe.members[name]
    settings = {**member.identity(), "model": _named("models", member.model)}
    return {
        fold: Step(
            fit.STAGE,
            f"{name}.fold{fold}",
            {**settings, "fold": fold, "seed": ground.seed(fold)},
            {
                **ground.studies,
                "folds": ground.folds,
                **{f"view.{view}": cuts[view] for view in member.views},
            },
            spec=(member, recipe.views, ground.rubric),
            totals={
                **_trained(fold, member.fit.epochs),
                "member_fold_trainings": 1,
                "member_checkpoints": 1,
            },
        )
        for fold in range(recipe.folds.count)
    }


def _member_predictions(
    ground: _Ground, name: str, fits: Mapping[int, Step], cuts: Mapping[str, Step]
) -> Step:
    recipe, member = ground.recipe, ground.recipe.members[name]
    return Step(
        predict.STAGE,
        name,
        {"predictor": name},
        {
            **ground.studies,
            "folds": ground.folds,
            **{f"fold{fold}": step for fold, step in fits.items()},
            **{f"view.{view}": cuts[view] for view in member.views},
        },
        spec=(member, recipe.views, ground.rubric),
        totals={"members": 1},
    )


def _join(ground: _Ground, predictors: dict[str, Step]) -> None:
    """Add the ensembles, each after those that it joins."""
    waiting = dict(ground.recipe.ensembles)
    while waiting:
        name = next(n for n in waiting if set(joined_by(waiting[n])) <= predictors.keys())
        named = waiting.pop(name)
        predictors[name] = Step(
            join.STAGE,
            name,
            {
                **_named("ensembling", joiner(named)),
                "of": list(joined_by(named)),
                "predictor": name,
            },
            {
                **ground.studies,
                "folds": ground.folds,
                **{f"predictor.{one}": predictors[one] for one in joined_by(named)},
            },
            spec=(named, ground.rubric),
            totals={"ensembles": 1},
        )
