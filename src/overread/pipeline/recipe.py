"""A recipe: one YAML file that says all of a system; read whole, or refused with clear lines.

It knows the shape of a recipe and which names belong together; it knows no data and runs nothing.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationError

from overread.imaging import ViewSpec
from overread.inference import EnsembleSpec, LocatorSpec, MemberSpec, TableSpec
from overread.learning import FoldSpec, PseudoSpec
from overread.pipeline import recipe_text
from overread.pipeline.recipe_checks import check, unknown_kinds, unknown_roles, unread_shelves
from overread.pipeline.recipe_errors import Fault, faults_of
from overread.pipeline.recipe_text import Parsed, RecipeError, words
from overread.pipeline.recipe_text import Path as Path_
from overread.pipeline.trust_spec import TrustSpec
from overread.records import Rubric
from overread.shelf import Named, Spec, nearest, settings_of

__all__ = [
    "AboutSpec",
    "DatasetChoice",
    "ForgeSpec",
    "Recipe",
    "RecipeError",
    "read_recipe",
    "recipe_schema",
    "resolved_part",
    "resolved_recipe",
    "rubric_of",
]


# The sections whose entries may name a kind.
LAID = ("keypoints", "views", "members")


class AboutSpec(Spec):
    """What a reader wants to know before running it.

    Attributes:
        source: the published system, with its address.
        hardware: that it is meant for.
        hours: about how long it takes there.
        expected: the score to expect, with its metric.
        command: that runs it.
        notes: departures from the source.
    """

    source: str
    hardware: str
    hours: float
    expected: str
    command: str
    notes: str = ""


class ForgeSpec(Spec):
    """Phantoms in place of data: forged as the first step.

    Attributes:
        studies: how many.
        seed: of the chance in them.
        style: "clean", or "hospital" with the dirt of a real archive.
        photos: phantoms are made from the photographs in the data folder, where the dataset can.
        pixels: rows and columns of images, where the dataset can; None = as it is used to.
    """

    studies: int = Field(ge=1)
    seed: int = Field(default=0, ge=0)
    style: Literal["clean", "hospital"] = "clean"
    photos: bool = False
    pixels: int | None = Field(default=None, ge=1)

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the options that came later: at their default, old phantoms stay what they are."""
        return frozenset({"photos", "pixels"})


class DatasetChoice(Named):
    """Which dataset, its settings, and whether phantoms are forged in place of it."""

    forge: ForgeSpec | None = None


def _kind(member: Any) -> str:
    """Return which kind of member this is: one with a `table`, or one with a network."""
    tabled = "table" in member if isinstance(member, Mapping) else isinstance(member, TableSpec)
    return TableSpec.__name__ if tabled else MemberSpec.__name__


Member = Annotated[
    Annotated[MemberSpec, Tag(MemberSpec.__name__)] | Annotated[TableSpec, Tag(TableSpec.__name__)],
    Discriminator(_kind),
]


class Recipe(Spec):
    """A whole system, in the order in which things happen.

    Attributes:
        recipe: version of this layout.
        name: of the system.
        about: source, hardware, hours, expected score, command.
        dataset: which dataset; with `forge`, phantoms in its layout.
        external: {name: dataset} in the same folder, of which locators also learn.
        folds: how subjects are split.
        keypoints: {locator: settings}.
        views: {view: how it is cut}.
        kinds: {name: settings} laid under the locators, views and members whose `kind` it is.
        defaults: laid under each member, and under its kind.
        members: {member: settings}: networks, or tables that other networks made.
        pseudo: {set of pseudo-labels: who fills which cells}.
        ensembles: {ensemble: how predictors are joined}.
        final: the predictor that counts.
        scores: how predictors are measured.
        compare: pairs of predictors, or floors, whose difference is measured, the first minus the
            second, with an interval of its own (both are measured on the same draws of subjects).
        score_by: "unit", or "subject": what is said of one subject at one site is averaged before
            it is measured, so that a disc which is shown by several images counts once.
        role_weights: {role: how much the answers of its studies count in that average}; others
            count 1. With 0 they are heard only where nothing else is said of the site.
        trust: what is found out about the final predictor: sets of grades, decisions, members.
        seed: of all training.
        max_broken: share of broken studies above which a run is refused; changes no result.
    """

    recipe: Literal[1]
    name: str = Field(min_length=1)
    about: AboutSpec
    dataset: DatasetChoice
    external: dict[str, Named] = Field(default_factory=dict)
    folds: FoldSpec = FoldSpec()
    kinds: dict[str, dict[str, Any]] = Field(default_factory=dict)
    keypoints: dict[str, LocatorSpec] = Field(default_factory=dict)
    views: dict[str, ViewSpec] = Field(default_factory=dict)
    defaults: dict[str, Any] = Field(default_factory=dict)
    members: dict[str, Member]
    pseudo: dict[str, PseudoSpec] = Field(default_factory=dict)
    ensembles: dict[str, EnsembleSpec] = Field(default_factory=dict)
    final: str
    scores: tuple[Named, ...] = Field(min_length=1)
    compare: tuple[tuple[str, str], ...] = ()
    score_by: Literal["unit", "subject"] = "unit"
    role_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    trust: TrustSpec | None = None
    seed: int = Field(default=0, ge=0)
    max_broken: float = Field(default=0.1, ge=0, le=1)

    @property
    def name_in_store(self) -> str:
        """The name as a file name."""
        return re.sub(r"[^A-Za-z0-9_.-]+", "_", self.name).strip("._") or "recipe"

    @property
    def networks(self) -> dict[str, MemberSpec]:
        """The members that are networks."""
        return {name: one for name, one in self.members.items() if isinstance(one, MemberSpec)}

    @property
    def tables(self) -> dict[str, TableSpec]:
        """The members that are tables."""
        return {name: one for name, one in self.members.items() if isinstance(one, TableSpec)}


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        RecipeError: one line a fault, with file, line, path in the recipe, and the nearest right
            name.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError([f"{path}: found no readable recipe ({_reason(error)})"]) from None
    parsed = recipe_text.parse(text, str(path))
    if not isinstance(parsed.value, dict):
        raise RecipeError([f"{path}:1: expected keys such as `recipe: 1` and `name: ...`"])
    merged = with_defaults(parsed.value)
    unknown = [*unknown_kinds(merged), *unknown_roles(merged)]
    try:
        recipe = Recipe.model_validate(merged)
    except ValidationError as error:
        told = {path[:2] for path, _ in unknown}
        others = [fault for fault in faults_of(error, Recipe) if fault[0] not in told]
        raise _refusal(parsed, [*unknown, *others, *unread_shelves(merged)]) from None
    if faults := [*unknown, *check(recipe, lambda: rubric_of(recipe))]:
        raise _refusal(parsed, faults)
    return recipe


def _reason(error: Exception) -> str:
    return error.strerror or "" if isinstance(error, OSError) else "it is not UTF-8 text"


def _refusal(parsed: Parsed, faults: list[Fault]) -> RecipeError:
    """Turn faults into lines; a fault that came with `defaults` is told once, where it stands."""
    lines: dict[str, None] = {}
    for path, sentence in faults:
        where = _as_written(parsed, path)
        lines[f"{parsed.place(where)}: {words(where)}: {sentence}"] = None
    return RecipeError(list(lines))


def _as_written(parsed: Parsed, path: Path_) -> Path_:
    """Return where a setting stands: with its owner, in its kind, or in the defaults."""
    if path[:1] not in {(section,) for section in LAID} or path in parsed.lines:
        return path
    section, name = path[0], path[1] if len(path) > 1 else ""
    own = (parsed.value.get(section) or {}).get(name)
    kind = own.get("kind") if isinstance(own, dict) else None
    inherited: list[Path_] = [("kinds", str(kind), *path[2:])] if kind is not None else []
    inherited += [("defaults", *path[2:])] if section == "members" else []
    around = path[:-1]
    for place in inherited:
        if place in parsed.lines or (around not in parsed.lines and place[:-1] in parsed.lines):
            return place
    return path


def with_defaults(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe with its `defaults` laid under each member, and its `kinds` where named.

    Settings are merged key by key; where one names another `use`, its settings stand alone, as
    those of a table do.
    """
    merged = dict(value)
    kinds, defaults = value.get("kinds"), value.get("defaults")
    kinds = kinds if isinstance(kinds, dict) else {}
    for section in LAID:
        table = value.get(section)
        if isinstance(table, dict):
            under = defaults if section == "members" and isinstance(defaults, dict) else {}
            merged[section] = {
                name: _with_kind(under, kinds, own) if _is_network(own) else own
                for name, own in table.items()
            }
    return merged


def _with_kind(
    defaults: Mapping[str, Any], kinds: Mapping[str, Any], own: Mapping[str, Any]
) -> dict[str, Any]:
    kind = kinds.get(str(own["kind"])) if "kind" in own else {}
    if not isinstance(kind, dict):
        return _laid_under(defaults, own)  # its fault is told: no such kind
    bare = {key: item for key, item in own.items() if key != "kind"}
    return _laid_under(_laid_under(defaults, kind), bare)


def _is_network(member: Any) -> bool:
    return isinstance(member, dict) and _kind(member) == MemberSpec.__name__


def _laid_under(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    if "use" in own and own["use"] != defaults.get("use", own["use"]):
        return dict(own)
    merged = {**defaults, **own}
    for name in defaults.keys() & own.keys():
        if isinstance(defaults[name], dict) and isinstance(own[name], dict):
            merged[name] = _laid_under(defaults[name], own[name])
    return merged


def rubric_of(recipe: Recipe) -> Rubric:
    """Return what the recipe's dataset asks."""
    module, spec = settings_of("overread.datasets", _bare(recipe.dataset))
    rubric: Rubric = module.rubric(spec)
    return rubric


def _bare(dataset: DatasetChoice) -> dict[str, Any]:
    return {"use": dataset.use, **dataset.settings}


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema of recipes, for editors."""
    schema = Recipe.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Overread recipe"
    for name in ("LocatorSpec", "ViewSpec", "MemberSpec"):
        kind = {"type": "string", "description": "name of the `kinds` that lies under this"}
        schema["$defs"][name]["properties"]["kind"] = kind
    return schema


def resolved_recipe(recipe: Recipe) -> str:
    """Return a recipe as YAML with all its settings, defaults included, in the order of things."""
    return recipe_text.write(_content(recipe))


def resolved_part(recipe: Recipe, name: str) -> str:
    """Return what a recipe says under one name, with all its settings, as YAML.

    Raises:
        RecipeError: if nothing is called so; names the nearest.
    """
    content = _content(recipe)
    sections = ("external", "keypoints", "views", "members", "pseudo", "ensembles")
    found = {one: {name: content[one][name]} for one in sections if name in content.get(one, {})}
    if not found:
        known = [other for one in sections for other in content.get(one, {})]
        raise RecipeError([f'recipe {recipe.name} has no "{name}"; {nearest(name, known)}'])
    return recipe_text.write(found)


def _content(recipe: Recipe) -> dict[str, Any]:
    content: dict[str, Any] = recipe.model_dump(
        mode="json", exclude={"defaults", "kinds", *([] if recipe.external else ["external"])}
    )
    content["dataset"] = {**_resolved("datasets", _bare(recipe.dataset))}
    if recipe.dataset.forge is not None:
        content["dataset"]["forge"] = recipe.dataset.forge.model_dump(mode="json")
    learners: dict[str, Mapping[str, LocatorSpec | MemberSpec]] = {
        "keypoints": recipe.keypoints,
        "members": recipe.networks,
    }
    for kind, specs in learners.items():
        for name, spec in specs.items():
            if isinstance(spec, MemberSpec) or not spec.of:
                content[kind][name]["model"] = _resolved("models", spec.model)
    external = {name: _resolved("datasets", named) for name, named in recipe.external.items()}
    content |= {"external": external} if external else {}
    content["ensembles"] = {
        name: {
            **_resolved("ensembling", named.joiner),
            **named.own(),
        }
        for name, named in recipe.ensembles.items()
    }
    content["scores"] = [_resolved("scoring", named) for named in recipe.scores]
    return content


def _resolved(room: str, named: Named | Mapping[str, Any]) -> dict[str, Any]:
    _, spec = settings_of(f"overread.{room}", named)
    use = named.use if isinstance(named, Named) else named["use"]
    return {"use": use, **spec.model_dump(mode="json")}
