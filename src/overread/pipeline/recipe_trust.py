"""Can what a recipe asks about trust be answered? Knows rubrics and shelves; reads no data."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import ValidationError

from overread.ensembling import decided_targets
from overread.pipeline.recipe_errors import Fault, faults_of
from overread.pipeline.recipe_text import Path
from overread.records import RecordError, Rubric
from overread.shelf import Named, NotOnShelfError, nearest, settings_of, take

if TYPE_CHECKING:
    from overread.pipeline.recipe import Recipe

__all__ = ["trust_faults"]


def trust_faults(recipe: "Recipe", rubric: Rubric) -> Iterator[Fault]:
    """Yield (path, sentence) for each question that cannot be answered."""
    asked = recipe.trust
    if asked is None:
        return
    for key in ("members", "verdicts"):
        if getattr(asked, key) and recipe.final not in recipe.ensembles:
            sentence = f'the final predictor "{recipe.final}" is no ensemble; leave the key out'
            yield ("trust", key), sentence
    if asked.decisions is not None:
        try:
            decided_targets(asked.decisions, rubric)
        except RecordError as error:
            yield ("trust", "decisions"), str(error)
    for number, reader in enumerate(asked.readers):
        yield from _metric_faults(("trust", "readers", number, "metric"), reader.metric)
        for index, target in enumerate(reader.targets):
            if target not in rubric.names:
                path = ("trust", "readers", number, "targets", index)
                yield path, f'no target "{target}"; {nearest(target, rubric.names)}'


def _metric_faults(path: Path, metric: Named) -> Iterator[Fault]:
    try:
        settings_of("overread.scoring", metric)
    except NotOnShelfError as error:
        yield (*path, "use"), str(error)
    except ValidationError as error:
        yield from faults_of(error, take("overread.scoring", metric.use).Spec, path)
