"""What all steps of a recipe stand on: the studies, their pixels, the split. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from overread.learning import FoldSpec
from overread.pipeline.recipe import DatasetChoice, Recipe, rubric_of
from overread.pipeline.step import Later, Stage, Step
from overread.records import Rubric
from overread.shelf import Named, settings_of

__all__ = ["Ground", "dataset_settings", "ground_of", "settings_on_shelf"]

FORGE = Stage("forge", 1, Later("forge"))
READ = Stage("read", 2, Later("read"))
DECODE = Stage("decode", 1, Later("decode"), cache=True)
FOLDS = Stage("folds", 1, Later("folds"))


@dataclass(frozen=True, eq=False)
class Ground:
    """What all later steps read.

    Attributes:
        recipe, rubric: what the steps are made from.
        read, decode, folds: steps of the dataset.
        sources: {"forge": step} where studies are forged: it holds the files.
        external: {name: step} that reads an external dataset.
    """

    recipe: Recipe
    rubric: Rubric
    read: Step
    decode: Step
    folds: Step
    sources: Mapping[str, Step]
    external: Mapping[str, Step] = field(default_factory=dict)

    def also(self, names: Iterable[str]) -> dict[str, Step]:
        """What a step needs that also reads external datasets: their studies and pixels."""
        wanted = {name: self.external[name] for name in names}
        return {
            **{f"also.{name}.read": step for name, step in wanted.items()},
            **{
                f"also.{name}.decode": Step(DECODE, name, {}, {"read": step})
                for name, step in wanted.items()
            },
        }

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

    def folds_of(self, split: FoldSpec | None) -> Step:
        """Return the step that splits subjects: the recipe's, or one of a learner's own."""
        if split is None:
            return self.folds
        name = f"{self.folds.name}.{split.count}-{split.seed}"
        spec = (split, self.rubric)
        return Step(FOLDS, name, split.identity(), self.studies, spec=spec)

    def seed(self, fold: int, generation: int = 0, *, own: int | None = None) -> int:
        """Return a seed for each training: from the recipe's, or from a learner's own."""
        seed = self.recipe.seed if own is None else own
        return seed * 1_000_000 + generation * 1_000 + fold


def ground_of(recipe: Recipe, files: Mapping[str, Any] | None) -> Ground:
    """Return the first steps of a recipe.

    Args:
        recipe: read and checked.
        files: digest of the data folder, which holds the dataset, or the photographs that it is
            forged from; None = the studies are forged from nothing.
    """
    dataset, name = dataset_settings(recipe.dataset), recipe.dataset.use.rsplit(".", 1)[-1]
    rubric = rubric_of(recipe)
    sources: dict[str, Step] = {}
    settings: dict[str, Any] = {"dataset": dataset}
    wanted = recipe.dataset.forge
    if files is not None and (wanted is None or not wanted.photos):
        settings["files"] = dict(files)
    elif wanted is not None:
        forged = {"dataset": recipe.dataset.use, **wanted.identity()}
        if files is not None:
            forged["files"] = dict(files)
        sources["forge"] = Step(FORGE, name, forged)
    if not recipe.views and not recipe.keypoints:
        settings["only"] = "labels"
    reading = Step(READ, name, settings, sources)
    decoded = Step(DECODE, name, {}, {"read": reading, **sources})
    split = Step(
        FOLDS,
        name,
        recipe.folds.identity(),
        {"read": reading, **sources},
        spec=(recipe.folds, rubric),
    )
    external = {
        other: Step(
            READ,
            other,
            {**settings, "dataset": settings_on_shelf("datasets", named)},
            sources,
        )
        for other, named in recipe.external.items()
    }
    return Ground(recipe, rubric, reading, decoded, split, sources, external)


def dataset_settings(dataset: DatasetChoice) -> dict[str, Any]:
    """Return name and settings of the dataset, defaults included."""
    bare = Named.model_validate({"use": dataset.use, **dataset.settings})
    return settings_on_shelf("datasets", bare)


def settings_on_shelf(room: str, named: Named) -> dict[str, Any]:
    """Return name and settings of something on a shelf, defaults included, as plain JSON."""
    _, spec = settings_of(f"overread.{room}", named)
    return {"use": named.use, **spec.identity()}
