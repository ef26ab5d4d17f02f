"""Do the names in a recipe belong together? Every fault is found, each said in one sentence.

It knows shelves, rubrics and roles; it reads no data.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from overread.imaging import ROLE_PLANE
from overread.inference import asked_targets
from overread.pipeline.recipe_errors import Fault, faults_of
from overread.pipeline.recipe_models import model_faults, shape_faults
from overread.pipeline.recipe_pseudo import fold_faults, pseudo_faults
from overread.pipeline.recipe_text import Path
from overread.pipeline.recipe_trust import trust_faults
from overread.records import RecordError, Rubric
from overread.scoring import FLOORS
from overread.shelf import NotOnShelfError, nearest, settings_of, take

if TYPE_CHECKING:
    from overread.inference import LocatorSpec
    from overread.pipeline.recipe import Recipe

__all__ = ["check", "unknown_kinds", "unknown_roles", "unread_shelves"]

# What a locator and the parts of which it is made have in common: the images that they look at.
LOOKS = (
    "series",
    "points",
    "around",
    "pixels",
    "size_mm",
    "percentiles",
    "aspect",
    "shading",
    "centred",
)
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")


def check(recipe: "Recipe", rubric_of: Callable[[], Rubric]) -> Iterator[Fault]:
    """Yield (path, sentence) for each name that does not fit.

    Args:
        recipe: valid by itself.
        rubric_of: returns the rubric; called only when the dataset's settings are valid.
    """
    yield from _names(recipe)
    yield from fold_faults(recipe)
    yield from pseudo_faults(recipe)
    shelf = list(_shelves(recipe))
    yield from shelf
    models_known = not any("model" in path for path, _ in shelf)
    if models_known:
        yield from model_faults(recipe)
    yield from _locators(recipe)
    yield from _views(recipe)
    yield from _members(recipe)
    yield from _ensembles(recipe)
    if not any(path[:1] == ("dataset",) for path, _ in shelf):
        yield from _forged(recipe)
        rubric = rubric_of()
        yield from _targets(recipe, rubric)
        yield from _sites(recipe, rubric)
        yield from trust_faults(recipe, rubric)
        if models_known:
            yield from shape_faults(recipe, rubric)


def _names(recipe: "Recipe") -> Iterator[Fault]:
    for kind in ("external", "keypoints", "views", "members", "pseudo", "ensembles"):
        for name in getattr(recipe, kind):
            if not PLAIN_NAME.fullmatch(name):
                yield (kind, name), "names hold letters, digits, _ and - only; rename it"
    for name in recipe.members.keys() & recipe.ensembles.keys():
        yield ("ensembles", name), "is also the name of a member; predictors share one name space"
    if not recipe.members:
        yield ("members",), "is empty; a recipe needs one member at least"


def _shelves(recipe: "Recipe") -> Iterator[Fault]:
    """Check each `use`, and the settings beside it."""
    yield from _chosen(recipe.model_dump(mode="json"))


def unread_shelves(value: Mapping[str, Any]) -> Iterator[Fault]:
    """Check each `use` of a recipe that is not valid as a whole, so that all faults are told."""
    known = {
        kind: {name: spec for name, spec in _table(value, kind).items() if isinstance(spec, dict)}
        for kind in ("external", "keypoints", "members", "ensembles")
    }
    yield from _chosen({"dataset": value.get("dataset"), "scores": value.get("scores"), **known})


def _table(value: Mapping[str, Any], kind: str) -> dict[str, Any]:
    table = value.get(kind)
    return table if isinstance(table, dict) else {}


def _chosen(value: Mapping[str, Any]) -> Iterator[Fault]:
    scores = value["scores"]
    places: list[tuple[Path, str, Any]] = [(("dataset",), "datasets", value["dataset"])]
    external = value.get("external") or {}
    places += [(("external", name), "datasets", named) for name, named in external.items()]
    places += [
        ((kind, name, "model"), "models", spec.get("model"))
        for kind in ("keypoints", "members")
        for name, spec in value[kind].items()
        if not spec.get("of")
    ]
    places += [(("ensembles", n), "ensembling", spec) for n, spec in value["ensembles"].items()]
    places += [
        (("scores", index), "scoring", named)
        for index, named in enumerate(scores if isinstance(scores, list) else ())
    ]
    for path, room, named in places:
        if isinstance(named, dict) and isinstance(named.get("use"), str):
            apart = {
                "datasets": ("forge",),
                "ensembling": ("of", "targets", "temperature", "split"),
            }.get(room, ())
            bare = {key: item for key, item in named.items() if key not in apart}
            yield from _shelf(path, f"overread.{room}", bare)


def _shelf(path: Path, room: str, named: Mapping[str, Any]) -> Iterator[Fault]:
    try:
        settings_of(room, named)
    except NotOnShelfError as error:
        yield (*path, "use"), str(error)
    except ValidationError as error:
        yield from faults_of(error, take(room, named["use"]).Spec, path)


def _locators(recipe: "Recipe") -> Iterator[Fault]:
    known = recipe.keypoints
    for name, spec in known.items():
        for key in ("around", "taught_by"):
            yield from _known(("keypoints", name, key), "locator", getattr(spec, key), known)
        for index, other in enumerate(spec.of):
            path = ("keypoints", name, "of", index)
            yield from _known(path, "locator", other, known)
            if other in known:
                yield from ((path, words) for words in _unlike(spec, other, known[other]))
        for index, dataset in enumerate(spec.also):
            path = ("keypoints", name, "also", index)
            yield from _known(path, "external dataset", dataset, recipe.external)
    needs = {name: [o for o in spec.needs if o in known] for name, spec in known.items()}
    for cycle in _cycles(needs):
        yield ("keypoints", cycle[0], "around"), f"locators wait for each other: {_arrows(cycle)}"


def _unlike(spec: "LocatorSpec", name: str, part: "LocatorSpec") -> Iterator[str]:
    """Yield how a part looks at other images than the locator that it is a part of."""
    for key in LOOKS:
        if getattr(spec, key) != getattr(part, key):
            found, expected = getattr(part, key), getattr(spec, key)
            yield f"{name} has {key}: {found}, expected {expected}: parts look at the same images"
    if part.neighbours > spec.neighbours:
        yield f"{name} looks at {part.neighbours} neighbours; set neighbours to as many"
    if part.of or part.counted is not None:
        yield f"{name} has no network of its own that finds points; name locators that have"


def _views(recipe: "Recipe") -> Iterator[Fault]:
    for name, view in recipe.views.items():
        yield from _known(("views", name, "around"), "locator", view.around, recipe.keypoints)


def _members(recipe: "Recipe") -> Iterator[Fault]:
    for name, member in recipe.networks.items():
        for index, view in enumerate(member.views):
            yield from _known(("members", name, "views", index), "view", view, recipe.views)
        if member.model.use == "sequence" and not member.embeds:
            sentence = "reads what other members made of slices; name them in embeds, without views"
            yield ("members", name, "model", "use"), sentence
        for other in member.embeds:
            path = ("members", name, "embeds", other)
            yield from _known(path, "member", other, recipe.networks)
            if other in recipe.networks:
                yield from ((path, words) for words in _unreadable(recipe, name, other))


def _unreadable(recipe: "Recipe", name: str, other: str) -> Iterator[str]:
    """Yield why the embeddings of a member cannot be read by another one."""
    own, read = recipe.networks[name], recipe.networks[other]
    if read.embeds or read.reads != "unit" or read.mirror == "shared" or read.offsets != (0,):
        yield (
            f"{other} must look at units one by one: no embeds, reads: study, mirror: shared or "
            "offsets"
        )
    if read.folds is not None or read.new is not None:
        yield f"{other} must have a network of every fold, also for new studies: drop folds and new"
    count = recipe.folds.count
    if count is not None and own.embeds[other].networks != count:
        yield f"found networks: {own.embeds[other].networks}, expected {count}, one for each fold"
    if own.targets != read.targets:
        yield f"{other} answers other targets than {name}: give both the same"


def _ensembles(recipe: "Recipe") -> Iterator[Fault]:
    predictors = {*recipe.members, *recipe.ensembles}
    needs: dict[str, list[str]] = {}
    for name, named in recipe.ensembles.items():
        needs[name] = list(named.of)
        if not needs[name]:
            yield ("ensembles", name, "of"), "is missing; list the predictors that are joined"
        for index, predictor in enumerate(needs[name]):
            path = ("ensembles", name, "of", index)
            yield from _known(path, "member or ensemble", predictor, predictors)
            if predictor in needs[name][:index]:
                yield path, f'"{predictor}" stands twice; name each predictor once'
    for cycle in _cycles(needs):
        yield ("ensembles", cycle[0], "of"), f"ensembles join each other: {_arrows(cycle)}"
    yield from _known(("final",), "member or ensemble", recipe.final, predictors)
    for number, pair in enumerate(recipe.compare):
        for index, predictor in enumerate(pair):
            place = ("compare", number, index)
            yield from _known(place, "member or ensemble", predictor, predictors | FLOORS.keys())


def _forged(recipe: "Recipe") -> Iterator[Fault]:
    forge = recipe.dataset.forge
    if forge is not None and forge.pixels is not None:
        module = take("overread.datasets", recipe.dataset.use)
        if "pixels" not in inspect.signature(module.forge).parameters:
            sentence = f"{recipe.dataset.use} forges images of one size; leave it out"
            yield ("dataset", "forge", "pixels"), sentence


def _targets(recipe: "Recipe", rubric: Rubric) -> Iterator[Fault]:
    asking: list[tuple[Path, tuple[str, ...] | None]] = [
        *((("members", name), one.targets) for name, one in recipe.networks.items()),
        *((("ensembles", name), one.targets) for name, one in recipe.ensembles.items()),
        *(
            (("pseudo", name, "sources", number), source.targets)
            for name, one in recipe.pseudo.items()
            for number, source in enumerate(one.sources)
        ),
    ]
    for path, targets in asking:
        for index, target in enumerate(targets or ()):
            yield from _known((*path, "targets", index), "target", target, rubric.names)
    for name, member in recipe.networks.items():
        for index, target in enumerate(member.balance):
            yield from _known(("members", name, "balance", index), "target", target, rubric.names)
        try:
            asked_targets(rubric, member)
        except RecordError as error:
            if not set(member.targets or ()) - set(rubric.names):
                yield ("members", name, "mirror"), str(error)


def _sites(recipe: "Recipe", rubric: Rubric) -> Iterator[Fault]:
    """Compare the points that views are cut around with the sites that are graded.

    A chain may be longer than the sites; a point that is no site is a fault where a site is absent.
    """
    for name, view in recipe.views.items():
        locator = recipe.keypoints.get(view.around or "")
        if locator and not set(locator.points) & set(rubric.sites):
            found, sites = ", ".join(locator.points), ", ".join(rubric.sites) or "none"
            sentence = f'locator "{view.around}" finds {found}, but {rubric.name} has sites {sites}'
            yield ("views", name, "around"), sentence
    for name in _found_for_views(recipe):
        points = recipe.keypoints[name].points
        if set(points) & set(rubric.sites) and set(rubric.sites) - set(points):
            for index, point in enumerate(points):
                yield from _known(("keypoints", name, "points", index), "site", point, rubric.sites)


def _found_for_views(recipe: "Recipe") -> dict[str, None]:
    """Return the locators that a view is cut around, and those that they are found around."""
    found: dict[str, None] = {}
    for view in recipe.views.values():
        name = view.around
        while name in recipe.keypoints and name not in found:
            found[name] = None
            name = recipe.keypoints[name].around
    return found


def unknown_kinds(value: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield each kind that there is not, of what was left with one."""
    for section in ("keypoints", "views", "members"):
        for name, spec in _table(value, section).items():
            if isinstance(spec, dict) and "kind" in spec:
                path = (section, name, "kind")
                yield from _known(path, "kind", str(spec["kind"]), _table(value, "kinds"))


def unknown_roles(value: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield each series role, of locators and views as written, that there is not."""
    for kind in ("keypoints", "views"):
        table = value.get(kind)
        for name, spec in table.items() if isinstance(table, dict) else ():
            roles = spec.get("series") if isinstance(spec, dict) else None
            for index, role in enumerate(roles if isinstance(roles, list) else ()):
                yield from _known((kind, name, "series", index), "series role", role, ROLE_PLANE)


def _known(path: Path, kind: str, name: str | None, known: Iterable[str]) -> Iterator[Fault]:
    if name is not None and name not in set(known):
        yield path, f'no {kind} "{name}"; {nearest(str(name), known)}'


def _cycles(needs: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """Yield each cycle once, from its first name in the order of the recipe."""
    order = list(needs)

    def walk(trail: list[str]) -> Iterator[list[str]]:
        for name in needs.get(trail[-1], ()):
            if name == trail[0]:
                yield trail
            elif name not in trail and name in needs and order.index(name) > order.index(trail[0]):
                yield from walk([*trail, name])

    for name in order:
        yield from walk([name])


def _arrows(cycle: list[str]) -> str:
    return " -> ".join([*cycle, cycle[0]])
