"""A recipe: one YAML file that says all of a system; read whole, or refused with clear lines.

It knows the shape of a recipe and which names belong together; it knows no data and runs nothing.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationError

from overread.imaging import ViewSpec
from overread.inference import LocatorSpec, MemberSpec, TableSpec
from overread.learning import FoldSpec
from overread.pipeline import recipe_text
from overread.pipeline.recipe_checks import check, joined_by, joiner, unknown_roles, unread_shelves
from overread.pipeline.recipe_errors import Fault, faults_of
from overread.pipeline.recipe_text import Parsed, RecipeError, words
from overread.pipeline.recipe_text import Path as Path_
from overread.records import Rubric
from overread.shelf import Named, Spec, settings_of

__all__ = [
    "AboutSpec",
    "DatasetChoice",
    "ForgeSpec",
    "Recipe",
    "RecipeError",
    "read_recipe",
    "recipe_schema",
    "resolved_recipe",
    "rubric_of",
]


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
    """

    studies: int = Field(ge=1)
    seed: int = Field(default=0, ge=0)
    style: Literal["clean", "hospital"] = "clean"


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
        folds: how subjects are split.
        keypoints: {locator: settings}.
        views: {view: how it is cut}.
        defaults: laid under each member.
        members: {member: settings}: networks, or tables that other networks made.
        ensembles: {ensemble: how predictors are joined}.
        final: the predictor that counts.
        scores: how predictors are measured.
        score_by: "unit", or "subject": what is said of one subject at one site is averaged before
            it is measured, so that a disc which is shown by several images counts once.
        seed: of all training.
        max_broken: share of broken studies above which a run is refused; changes no result.
    """

    recipe: Literal[1]
    name: str = Field(min_length=1)
    about: AboutSpec
    dataset: DatasetChoice
    folds: FoldSpec = FoldSpec()
    keypoints: dict[str, LocatorSpec] = Field(default_factory=dict)
    views: dict[str, ViewSpec] = Field(default_factory=dict)
    defaults: dict[str, Any] = Field(default_factory=dict)
    members: dict[str, Member]
    ensembles: dict[str, Named] = Field(default_factory=dict)
    final: str
    scores: tuple[Named, ...] = Field(min_length=1)
    score_by: Literal["unit", "subject"] = "unit"
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
    unknown = list(unknown_roles(merged))
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
    """Return where a member's setting stands: with the member, or in the defaults."""
    inherited: Path_ = ("defaults", *path[2:])
    if path[:1] != ("members",) or path in parsed.lines:
        return path
    around = path[:-1]
    from_defaults = around not in parsed.lines and inherited[:-1] in parsed.lines
    return inherited if inherited in parsed.lines or from_defaults else path


def with_defaults(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe with its `defaults` laid under each member.

    Settings are merged key by key; where a member names another `use`, its settings stand alone, as
    those of a table do.
    """
    defaults, members = value.get("defaults"), value.get("members")
    if not isinstance(defaults, dict) or not isinstance(members, dict):
        return dict(value)
    merged = {
        name: _laid_under(defaults, member) if _is_network(member) else member
        for name, member in members.items()
    }
    return {**value, "members": merged}


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
    return schema


def resolved_recipe(recipe: Recipe) -> str:
    """Return a recipe as YAML with all its settings, defaults included, in the order of things."""
    content = recipe.model_dump(mode="json", exclude={"defaults"})
    content["dataset"] = {**_resolved("datasets", _bare(recipe.dataset))}
    if recipe.dataset.forge is not None:
        content["dataset"]["forge"] = recipe.dataset.forge.model_dump(mode="json")
    learners: dict[str, Mapping[str, LocatorSpec | MemberSpec]] = {
        "keypoints": recipe.keypoints,
        "members": recipe.networks,
    }
    for kind, specs in learners.items():
        for name, spec in specs.items():
            content[kind][name]["model"] = _resolved("models", spec.model)
    content["ensembles"] = {
        name: {**_resolved("ensembling", joiner(named)), "of": list(joined_by(named))}
        for name, named in recipe.ensembles.items()
    }
    content["scores"] = [_resolved("scoring", named) for named in recipe.scores]
    return recipe_text.write(content)


def _resolved(room: str, named: Named | Mapping[str, Any]) -> dict[str, Any]:
    _, spec = settings_of(f"overread.{room}", named)
    use = named.use if isinstance(named, Named) else named["use"]
    return {"use": use, **spec.model_dump(mode="json")}
