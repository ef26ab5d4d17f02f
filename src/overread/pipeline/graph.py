"""From a recipe to its steps. Pure: nothing is read, nothing is run.

One split for all learners; a study is always located and graded by networks that have not seen its
subject.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from overread.pipeline.closing import report_step, score_step
from overread.pipeline.ground import dataset_settings, ground_of
from overread.pipeline.locator_steps import error_steps, locator_steps
from overread.pipeline.predictor_steps import cut_steps, predictor_steps
from overread.pipeline.recipe import Recipe
from overread.pipeline.step import Step
from overread.pipeline.trust_steps import trust_steps
from overread.records import Rubric

__all__ = ["Graph", "build_graph", "dataset_settings"]


@dataclass(frozen=True, eq=False)
class Graph:
    """The steps of a recipe.

    Attributes:
        recipe, rubric: what they were made from.
        read, folds: steps of the dataset; `read` reads from a `forge` step where there is one.
        locator_fits: {locator: {fold: step}} of the last generation.
        located: {locator: step} of the last generation.
        fits: {member: {fold: step}} of members that are networks.
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


def build_graph(recipe: Recipe, files: Mapping[str, Any] | None) -> Graph:
    """Return the steps of a recipe.

    Args:
        recipe: read and checked.
        files: digest of the dataset's folder; None = the studies are forged.
    """
    ground = ground_of(recipe, files)
    located = locator_steps(ground)
    errors = error_steps(ground, located)
    cuts = cut_steps(ground, located.found)
    made = predictor_steps(ground, cuts)
    scored = score_step(recipe, ground.rubric, ground.split, made.predictors)
    shown = {
        "score": scored,
        **{f"points.{step.name}": step for step in errors},
        **{f"view.{name}": step for name, step in cuts.items() if name in _seen(recipe)},
        **{f"predictor.{name}": step for name, step in made.predictors.items()},
        **trust_steps(recipe, ground.rubric, ground.split, made.predictors),
        **_fitted("locate_fit", located.fits),
        **_fitted("fit", made.fits),
    }
    return Graph(
        recipe=recipe,
        rubric=ground.rubric,
        read=ground.read,
        folds=ground.folds,
        locator_fits=located.fits,
        located=located.found,
        fits=made.fits,
        predictors=made.predictors,
        score=scored,
        report=report_step(recipe, ground.rubric, ground.split, shown),
        extra=tuple(errors),
    )


def _seen(recipe: Recipe) -> set[str]:
    return {view for member in recipe.networks.values() for view in member.views}


def _fitted(kind: str, fits: Mapping[str, Mapping[int, Step]]) -> dict[str, Step]:
    return {
        f"{kind}.{name}.fold{fold}": step
        for name, folds_of in fits.items()
        for fold, step in folds_of.items()
    }
