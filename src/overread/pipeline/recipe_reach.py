"""What in a recipe leads to what: which networks its final predictor needs, and what is not honest.

Pure: it knows names, not steps or files.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from overread.inference import LocatorSpec, MemberSpec
from overread.records import Rubric

if TYPE_CHECKING:
    from overread.pipeline.recipe import Recipe

__all__ = [
    "caveats",
    "checkpoints",
    "networks_of",
    "new_folds",
    "predictors_of",
    "seen_locators",
    "slice_passes",
    "trained_folds",
]


def predictors_of(recipe: "Recipe", name: str) -> tuple[str, ...]:
    """Return a predictor and all that it joins or reads, directly or not, each once."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        here = waiting.pop(0)
        if here not in found:
            found[here] = None
            waiting += recipe.ensembles[here].of if here in recipe.ensembles else ()
            waiting += recipe.networks[here].embeds if here in recipe.networks else ()
    return tuple(found)


def networks_of(recipe: "Recipe", name: str) -> tuple[str, ...]:
    """Return the members with networks that a predictor joins or reads, directly or not."""
    return tuple(one for one in predictors_of(recipe, name) if one in recipe.networks)


def seen_locators(recipe: "Recipe", members: Iterable[str]) -> tuple[str, ...]:
    """Return the locators that the views of members need to look at a study, parts included."""
    views = {view for name in members for view in recipe.networks[name].views}
    waiting = [recipe.views[view].around for view in recipe.views if view in views]
    found: set[str] = set()
    while waiting:
        here = waiting.pop()
        if here is not None and here not in found:
            found.add(here)
            waiting += [recipe.keypoints[here].around, *recipe.keypoints[here].of]
    return tuple(name for name in recipe.keypoints if name in found)


def trained_folds(recipe: "Recipe", spec: LocatorSpec | MemberSpec) -> tuple[int, ...]:
    """Return the folds that networks of a member or locator are trained for."""
    split = recipe.folds
    if isinstance(spec, LocatorSpec):
        if spec.of:
            return ()
        split = spec.split or split
    return tuple(range(split.count or 0)) if spec.folds is None else spec.folds


def new_folds(recipe: "Recipe", spec: LocatorSpec | MemberSpec) -> tuple[int, ...]:
    """Return the folds whose networks look at new studies."""
    trained = trained_folds(recipe, spec)
    return trained if spec.new is None else tuple(fold for fold in trained if fold in spec.new)


def checkpoints(recipe: "Recipe", predictor: str) -> dict[str, int]:
    """Return how many networks a predictor needs for a new study: {"locators", "members"}."""
    members = networks_of(recipe, predictor)
    located = [recipe.keypoints[name] for name in seen_locators(recipe, members)]
    return {
        "locators": sum(len(new_folds(recipe, spec)) for spec in located),
        "members": sum(len(new_folds(recipe, recipe.networks[name])) for name in members),
    }


def slice_passes(recipe: "Recipe", rubric: Rubric) -> int:
    """Return how many slices grading networks are shown in training, for each unit of the dataset.

    Slots of the views times epochs, over members and folds; a fold's network is shown the share of
    the units that it does not hold out. Times the number of units, these are the images that an
    encoder sees where a network encodes slice by slice; slots without a slice are counted too.
    """
    total = sum(
        len(trained_folds(recipe, member)) * member.fit.epochs * _slots(recipe, member, rubric)
        for member in recipe.networks.values()
    )
    held = Fraction(1, recipe.folds.count) if recipe.folds.count else Fraction(0)
    return round(total * (1 - held))


def _slots(recipe: "Recipe", member: MemberSpec, rubric: Rubric) -> Fraction:
    """Return the slots that a member is shown of each unit; once a study where it reads studies."""
    units = max(1, len(rubric.sites))
    return sum(
        (
            Fraction(view.slices.count, 1 if member.reads == "unit" or view.by_unit else units)
            for view in (recipe.views[name] for name in member.views)
        ),
        Fraction(0),
    )


def caveats(recipe: "Recipe") -> tuple[str, ...]:
    """Return what makes figures of this recipe look better than they are, a sentence each."""
    return tuple(_caveats(recipe))


def _caveats(recipe: "Recipe") -> Iterator[str]:
    for name, pseudo in recipe.pseudo.items():
        pupils = [n for n, member in recipe.networks.items() if member.labels == name]
        if pseudo.teachers == "out_of_fold" and pupils:
            yield (
                f"Pseudo-labels {name} are out of fold, as published: networks that have learnt "
                f"from the labels of fold k fill cells from which {_some(pupils)} learn for fold k."
            )
    for name, spec in recipe.keypoints.items():
        count, trained = (spec.split or recipe.folds).count or 0, trained_folds(recipe, spec)
        if trained and len(trained) < count:
            yield (
                f"Locator {name} is trained for {len(trained)} of {count} folds: studies of the "
                "others are looked at by networks that have seen them."
            )
    for name, joined in recipe.ensembles.items():
        if joined.split == "units":
            yield (
                f"Ensemble {name} is fitted with folds of single units, as published: it has "
                "learnt from other units of the subjects that it is scored on, so its scores are "
                "too good."
            )
    for name in recipe.tables:
        yield f"Member {name} is a table: that its rows are out of fold is taken on trust."


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} others" if len(names) > 3 else "")
