"""Do folds, teachers and pseudo-labels of a recipe fit? Each fault in one sentence.

It knows names and numbers of folds; it reads no data.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from overread.pipeline.recipe_errors import Fault
from overread.pipeline.recipe_reach import networks_of
from overread.shelf import nearest

if TYPE_CHECKING:
    from overread.inference import LocatorSpec, MemberSpec
    from overread.pipeline.recipe import Recipe

__all__ = ["fold_faults", "pseudo_faults"]

TRUTH = "truth"


def fold_faults(recipe: "Recipe") -> Iterator[Fault]:
    """Yield folds that there are not."""
    if recipe.folds.count is None and (recipe.networks or recipe.keypoints):
        yield ("folds", "count"), "is missing; networks are trained by fold, so it must be known"
        return
    learners: list[tuple[str, str, LocatorSpec | MemberSpec, int | None]] = [
        ("keypoints", name, spec, (spec.split or recipe.folds).count)
        for name, spec in recipe.keypoints.items()
    ]
    learners += [
        ("members", name, one, recipe.folds.count) for name, one in recipe.networks.items()
    ]
    for kind, name, spec, count in learners:
        for key, folds in (("folds", spec.folds), ("new", spec.new)):
            for index, fold in enumerate(folds or ()):
                if fold >= (count or 0):
                    yield (
                        (kind, name, key, index),
                        f"found {fold}, expected 0 to {(count or 0) - 1}",
                    )


def pseudo_faults(recipe: "Recipe") -> Iterator[Fault]:
    """Yield sets of pseudo-labels, teachers and pupils that do not fit."""
    if TRUTH in recipe.pseudo:
        yield ("pseudo", TRUTH), "is what the graded cells are called; choose another name"
    for name, member in recipe.networks.items():
        if member.labels != TRUTH and member.labels not in recipe.pseudo:
            sentence = f'no pseudo-labels "{member.labels}"; '
            yield (
                ("members", name, "labels"),
                sentence + nearest(member.labels, [TRUTH, *recipe.pseudo]),
            )
    for name, pseudo in recipe.pseudo.items():
        yield from _external(recipe, name)
        for number, source in enumerate(pseudo.sources):
            for index, teacher in enumerate(source.of):
                path = ("pseudo", name, "sources", number, "of", index)
                yield from ((path, sentence) for sentence in _teacher(recipe, name, teacher))


def _external(recipe: "Recipe", name: str) -> Iterator[Fault]:
    """Yield external datasets that there are not, and views that cannot be cut from them."""
    for index, dataset in enumerate(recipe.pseudo[name].external):
        if dataset not in recipe.external:
            sentence = f'no external dataset "{dataset}"; {nearest(dataset, recipe.external)}'
            yield ("pseudo", name, "external", index), sentence
    if not recipe.pseudo[name].external:
        return
    pupils = [one for one, member in recipe.networks.items() if member.labels == name]
    for one in (*pupils, *recipe.pseudo[name].members):
        member = recipe.networks.get(one)
        for view in member.views if member else ():
            if view in recipe.views and recipe.views[view].around is not None:
                sentence = f"{one} sees {view}, which needs points; external datasets have none"
                yield ("pseudo", name, "external"), sentence


def _teacher(recipe: "Recipe", pseudo: str, name: str) -> Iterator[str]:
    if name not in recipe.networks and name not in recipe.ensembles:
        yield f'no member "{name}" with networks; {nearest(name, recipe.networks)}'
        return
    spec = recipe.pseudo[pseudo]
    if name in recipe.ensembles and (spec.teachers == "same_fold" or spec.external):
        yield (
            f"{name} is an ensemble, which is joined out of fold alone; name its members, or set "
            "teachers: out_of_fold (without external)"
        )
    for one in networks_of(recipe, name):
        folds = recipe.networks[one].folds
        if folds is not None and len(folds) < (recipe.folds.count or 0):
            yield f"{one} is trained for folds {list(folds)} only; teachers need all folds"
        if pseudo in _learnt_from(recipe, one):
            yield f"{one} learns from {pseudo} itself, directly or not"


def _learnt_from(recipe: "Recipe", member: str) -> set[str]:
    """Return the sets of pseudo-labels that a member learns from, directly or not."""
    found: set[str] = set()
    waiting = [recipe.networks[member].labels]
    while waiting:
        here = waiting.pop()
        if here in recipe.pseudo and here not in found:
            found.add(here)
            teachers = recipe.pseudo[here].members
            waiting += [
                recipe.networks[one].labels for n in teachers for one in networks_of(recipe, n)
            ]
    return found
