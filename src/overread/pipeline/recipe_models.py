"""Does a recipe's choice of networks fit: the right kind, a known backbone, levels that it has?

It asks the shelf and the encoders; it builds no network with weights and reads no data.
"""

import inspect
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from overread.inference.member import member_heads, units_at_once, view_shapes
from overread.models import EncoderSpec, WeightsError, check_own, is_spelled
from overread.pipeline.recipe_errors import Fault
from overread.pipeline.recipe_text import Path
from overread.records import RecordError, Rubric
from overread.shelf import Named, names_on_shelf, nearest, settings_of, take

if TYPE_CHECKING:
    from overread.pipeline.recipe import Recipe

__all__ = ["model_faults", "shape_faults"]

ROOM = "overread.models"
OWN = "tiny_conv"
KINDS = {
    "keypoints": ("points", "finds no points, but a locator's model must"),
    "members": ("heads", "does not grade, but a member's model must"),
}
# Weights that are nowhere: a backbone of a known name is refused for them before it is built.
NOWHERE = "file:/nowhere/names-only"


def model_faults(recipe: "Recipe") -> Iterator[Fault]:
    """Yield the faults of each `model` whose settings are valid by themselves."""
    for name, locator in recipe.keypoints.items():
        if not locator.of:
            yield from _of_model("keypoints", ("keypoints", name, "model"), locator.model)
    for name, member in recipe.networks.items():
        yield from _of_model("members", ("members", name, "model"), member.model)
        if member.reads == "study":
            yield from _of_studies(("members", name, "reads"), member.model)


def shape_faults(recipe: "Recipe", rubric: Rubric) -> Iterator[Fault]:
    """Yield what a network that can tell by itself refuses of its views and targets."""
    for name, member in recipe.networks.items():
        module, spec = settings_of(ROOM, member.model)
        if not hasattr(module, "check") or set(member.views) - set(recipe.views):
            continue
        try:
            heads = member_heads(rubric, member)
        except RecordError:
            continue  # told where the targets stand
        try:
            module.check(
                spec,
                inputs=view_shapes(member, recipe.views),
                heads=heads,
                units=units_at_once(rubric, member),
            )
        except ValueError as error:
            yield ("members", name, "model"), str(error)


def _of_model(kind: str, path: Path, named: Named) -> Iterator[Fault]:
    module, spec = settings_of(ROOM, named)
    argument, sentence = KINDS[kind]
    if not _takes(module, argument):
        right = [n for n in names_on_shelf(ROOM) if _takes(take(ROOM, n), argument)]
        yield (*path, "use"), f'"{named.use}" {sentence}; {nearest(named.use, right)}'
    elif isinstance(spec, EncoderSpec):
        levels = getattr(spec, "levels", None)
        yield from _of_encoder(path, spec, levels if isinstance(levels, tuple) else (0, 1))
        for view, one in getattr(spec, "encoders", {}).items():
            yield from _of_encoder((*path, "encoders", view), one, (0, 1))


def _of_studies(path: Path, named: Named) -> Iterator[Fault]:
    module, _ = settings_of(ROOM, named)
    if _takes(module, "heads") and not _takes(module, "units"):
        right = [n for n in names_on_shelf(ROOM) if _takes(take(ROOM, n), "units")]
        yield path, f'"{named.use}" reads units one by one; expected one of {", ".join(right)}'


def _takes(module: ModuleType, argument: str) -> bool:
    build = getattr(module, "build", None)
    return build is not None and argument in inspect.signature(build).parameters


def _of_encoder(path: Path, spec: EncoderSpec, levels: tuple[int, ...]) -> Iterator[Fault]:
    falls = list(levels) != sorted(set(levels))
    if falls or (spec.backbone == OWN and levels[0] < 0):
        yield (*path, "levels"), f"found {list(levels)}, expected levels from 0 that rise"
    elif spec.backbone == OWN:
        yield from _of_own(path, spec, levels)
    elif fault := _no_backbone(spec.backbone):
        yield (*path, "backbone"), fault


def _of_own(path: Path, spec: EncoderSpec, levels: tuple[int, ...]) -> Iterator[Fault]:
    try:
        check_own(spec, levels)
    except WeightsError as error:
        yield (*path, "weights"), str(error)
    except ValueError as error:
        yield (*path, "levels"), str(error)


@cache
def _no_backbone(name: str) -> str | None:
    """Return what is wrong with the name of a backbone, or None; a wrong one costs seconds."""
    if is_spelled(name):
        return None
    from overread.models import build_pyramid

    try:
        build_pyramid(EncoderSpec(backbone=name, weights=NOWHERE), channels=1, levels=(0, 1))
    except WeightsError:
        return None
    except ValueError as error:
        near, _, known = str(error).partition(" known: ")
        return near if "did you mean" in near else f"{near} known: {known}"
    return None
