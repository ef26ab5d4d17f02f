"""Faults of settings, in words: where, what was found, what was expected, the nearest right name.

It knows pydantic's errors and the models they come from; it does not know what a recipe means.
"""

import difflib
import re
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from overread.pipeline.recipe_text import Path
from overread.shelf import nearest

__all__ = ["Fault", "faults_of", "model_at"]

Fault = tuple[Path, str]

EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "a word",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "settings (key: value)",
    "model_type": "settings (key: value)",
    "model_attributes_type": "settings (key: value)",
}

ABSENT = {"missing", "too_short", "string_too_short"}
NEEDED = "is missing; it is needed"
NO_NUMBER = re.compile(r"[-+]?\.(nan|inf)", re.IGNORECASE)


def faults_of(error: ValidationError, model: type[BaseModel], at: Path = ()) -> Iterator[Fault]:
    """Yield (path, words) for each fault.

    Args:
        error: what pydantic found.
        model: the model that was validated.
        at: where in the recipe the validated value stands.
    """
    found = [(_clean(model, tuple(detail["loc"])), dict(detail)) for detail in error.errors()]
    misspelt = {
        (*path[:-1], likeliest(str(path[-1]), model_at(model, path[:-1])))
        for path, detail in found
        if detail["type"] == "extra_forbidden"
    }
    for path, detail in found:
        if detail["type"] != "missing" or path not in misspelt:
            shown = tuple(part for part in path if not isinstance(part, Branch))
            yield (*at, *shown), _sentence(detail, model, path)


def likeliest(name: str, around: type[BaseModel] | None) -> str:
    """Return the key of a model that a misspelt one stands for, or the name itself."""
    known = list(around.model_fields) if around else []
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.4)), name)


class Branch(str):
    """A part of a path that names a model of a union; it stands nowhere in the recipe."""

    __slots__ = ()


def _clean(model: type[BaseModel], loc: Path) -> Path:
    """Drop what pydantic puts into a path for branches of unions, such as "list[str]".

    The name of a model among several is kept as a `Branch`, so that its keys can be found.
    """
    kept: list[str | int] = []
    for part in loc:
        if isinstance(part, str) and any(mark in part for mark in "[](),"):
            continue
        inner = model_at(model, tuple(kept))
        if isinstance(part, str) and inner is None and _is_type_name(part):
            continue
        kept.append(Branch(part) if part in _models_at(model, tuple(kept)) else part)
    return tuple(kept)


def _models_at(model: type[BaseModel], path: Path) -> set[str]:
    """Return the names of the models that may stand at a path, where there are several."""
    here: Any = model
    for part in path:
        here = _step_into(here, part)
    found = {one.__name__ for one in _branches(here) if _is_model(one)}
    return found if len(found) > 1 else set()


def _is_type_name(part: str) -> bool:
    return part in {"int", "float", "str", "bool", "constrained-str"}


def _sentence(detail: Mapping[str, Any], model: type[BaseModel], path: Path) -> str:
    kind, found = detail["type"], detail.get("input")
    if kind == "extra_forbidden":
        around = model_at(model, path[:-1])
        names = around.model_fields if around else ()
        return f"unknown key; {nearest(str(path[-1]), names)}"
    if kind in ABSENT:
        return _absent(detail, str(path[-1]))
    if kind == "literal_error":
        choices = [
            word.strip("' ") for word in detail["ctx"]["expected"].replace(" or ", ",").split(",")
        ]
        return f"found {show(found)}; {nearest(str(found), [c for c in choices if c])}"
    if kind in EXPECTED:
        return f"found {show(found)}, expected {EXPECTED[kind]}"
    if kind in {"value_error", "assertion_error"}:
        return str(detail["ctx"]["error"])
    message = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"found {show(found)}, expected {message[:1].lower()}{message[1:]}"


def _absent(detail: Mapping[str, Any], name: str) -> str:
    """Say that a key, letters or items are missing, and which key may be a misspelling of it."""
    found = detail.get("input")
    if detail["type"] == "missing":
        keys = [str(key) for key in found] if isinstance(found, Mapping) else []
        near = difflib.get_close_matches(name, keys, n=1)
        return f'is missing; found "{near[0]}", did you mean "{name}"?' if near else NEEDED
    least = detail["ctx"]["min_length"]
    thing = "letter" if isinstance(found, str) else "item"
    what = show(found) if found else "nothing in it"
    return f"found {what}, expected {least} {thing}{'s' if least > 1 else ''} at least"


def show(value: Any) -> str:
    """Return a value for people, short, with its kind.

    Example:
        >>> show("five"), show([1, 2]), show(None)
        ('"five" (a word)', '[1, 2] (a list)', 'nothing')
    """
    if value is None:
        return "nothing"
    if isinstance(value, str) and NO_NUMBER.fullmatch(value):
        return f"{value} (not a finite number)"
    if isinstance(value, str):
        return f'"{_short(value)}" (a word)'
    if isinstance(value, bool):
        return "true" if value else "false"
    kind = {dict: "settings", list: "a list", tuple: "a list", int: "a number", float: "a number"}
    return f"{_short(str(value))} ({kind.get(type(value), type(value).__name__)})"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def model_at(model: Any, path: Path) -> type[BaseModel] | None:
    """Return the settings model that stands at a path, or None where there is none."""
    here: Any = model
    for part in path:
        here = _step_into(here, part)
        if here is None:
            return None
    return next((one for one in _branches(here) if _is_model(one)), None)


def _step_into(annotation: Any, part: str | int) -> Any:
    for branch in _branches(annotation):
        if isinstance(part, Branch):
            if _is_model(branch) and branch.__name__ == part:
                return branch
            continue
        if _is_model(branch):
            field = branch.model_fields.get(part)
            if field is not None:
                return field.annotation
            continue
        origin, arguments = typing.get_origin(branch), typing.get_args(branch)
        if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
            return arguments[1]
        if isinstance(part, int) and arguments:
            fixed = origin is tuple and arguments[-1] is not Ellipsis
            return arguments[part] if fixed and part < len(arguments) else arguments[0]
    return None


def _branches(annotation: Any) -> tuple[Any, ...]:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return tuple(b for part in typing.get_args(annotation) for b in _branches(part))
    if origin is typing.Annotated:
        return _branches(typing.get_args(annotation)[0])
    return (annotation,)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
