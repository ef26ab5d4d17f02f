"""What all steps of a recipe stand on: the studies, their pixels, the split. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overread.pipeline.recipe import DatasetChoice, Recipe, rubric_of
from overread.pipeline.stages import decode, folds, forge, read
from overread.pipeline.step import Step
from overread.records import Rubric
from overread.shelf import Named, settings_of

__all__ = ["Ground", "dataset_settings", "ground_of", "settings_on_shelf"]


@dataclass(frozen=True, eq=False)
class Ground:
    """What all later steps read.

    Attributes:
        recipe, rubric: what the steps are made from.
        read, decode, folds: steps of the dataset.
        sources: {"forge": step} where studies are forged: it holds the files.
    """

    recipe: Recipe
    rubric: Rubric
    read: Step
    decode: Step
    folds: Step
    sources: Mapping[str, Step]

    @property
    def studies(self) -> dict[str, Step]:
        """What a step needs that reads labels or studies."""
        return {"read": self.read, **self.sources}

    @property
    def pixels(self) -> dict[str, Step]:
        """What a step needs that reads pixels."""
        return {**self.studies, "decode": self.decode}

    @property
    def split(self) -> dict[str, Step]:
        """What a step needs that asks who is held out where."""
        return {**self.studies, "folds": self.folds}

    @property
    def fold_numbers(self) -> range:
        """The folds that networks are trained for."""
        return range(self.recipe.folds.count or 0)

    def seed(self, fold: int, generation: int = 0) -> int:
        """Return a seed of its own for each training of the recipe."""
        return self.recipe.seed * 1_000_000 + generation * 1_000 + fold


def ground_of(recipe: Recipe, files: Mapping[str, Any] | None) -> Ground:
    """Return the first steps of a recipe.

    Args:
        recipe: read and checked.
        files: digest of the dataset's folder; None = the studies are forged.
    """
    dataset, name = dataset_settings(recipe.dataset), recipe.dataset.use.rsplit(".", 1)[-1]
    rubric = rubric_of(recipe)
    sources: dict[str, Step] = {}
    settings: dict[str, Any] = {"dataset": dataset}
    if files is not None:
        settings["files"] = dict(files)
    elif recipe.dataset.forge is not None:
        forged = {"dataset": recipe.dataset.use, **recipe.dataset.forge.identity()}
        sources["forge"] = Step(forge.STAGE, name, forged)
    if not recipe.views and not recipe.keypoints:
        settings["only"] = "labels"
    reading = Step(read.STAGE, name, settings, sources)
    decoded = Step(decode.STAGE, name, {}, {"read": reading, **sources})
    split = Step(
        folds.STAGE,
        name,
        recipe.folds.identity(),
        {"read": reading, **sources},
        spec=(recipe.folds, rubric),
    )
    return Ground(recipe, rubric, reading, decoded, split, sources)


def dataset_settings(dataset: DatasetChoice) -> dict[str, Any]:
    """Return name and settings of the dataset, defaults included."""
    bare = Named.model_validate({"use": dataset.use, **dataset.settings})
    return settings_on_shelf("datasets", bare)


def settings_on_shelf(room: str, named: Named) -> dict[str, Any]:
    """Return name and settings of something on a shelf, defaults included, as plain JSON."""
    _, spec = settings_of(f"overread.{room}", named)
    return {"use": named.use, **spec.identity()}
