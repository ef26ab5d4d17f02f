"""YAML text -> plain values, with the line of every key; only the plain half of YAML is allowed.

It knows nothing of what a recipe says. `yes`, `no`, `on`, `off` and dates stay words, `1e-4` is a
number, a key stands once, and there are no aliases: what is shared goes into `defaults`.
libyaml reads, eight times as fast; what it does not take as it is, PyYAML reads again and judges.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

__all__ = ["Parsed", "Path", "RecipeError", "parse", "words", "write"]

Path = tuple[str | int, ...]
DEEPEST = 50


class RecipeError(ValueError):
    """A recipe that does not read; `lines` holds one clear line for each fault."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


@dataclass(frozen=True)
class Parsed:
    """Plain values and where they stand.

    Attributes:
        name: of the file, for messages.
        value: dicts, lists, strings, numbers, booleans, None.
        lines: {path: line number from 1} of keys and items.
    """

    name: str
    value: Any
    lines: Mapping[Path, int]

    def place(self, path: Path) -> str:
        """Return "file:line" of the path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}:{self.lines.get(path, 1)}"


def words(path: Path) -> str:
    """Return a path for people.

    Example:
        >>> words(("scores", 0, "use"))
        'scores[0].use'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


class _Loader(yaml.SafeLoader):
    """Numbers, true, false, null and words; no aliases. Its errors are those that are told."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse aliases, then go on as usual."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(
                None,
                None,
                "aliases (*name) are not used in recipes; put what is shared into `defaults`",
                self.peek_event().start_mark,  # type: ignore[no-untyped-call]
            )
        return super().compose_node(parent, index)


_QuickLoader: Any = type("_QuickLoader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
for _loader in (_Loader, _QuickLoader):
    _loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false|True|False)$", "tfTF"),
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    (
        "float",
        r"^(?:[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+)$",
        "-+.0123456789",
    ),
):
    for _loader in (_Loader, _QuickLoader):
        _loader.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first)
        )


def _int(_: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(node.value)


def _float(_: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(node.value)


for _loader in (_Loader, _QuickLoader):
    _loader.add_constructor("tag:yaml.org,2002:int", _int)
    _loader.add_constructor("tag:yaml.org,2002:float", _float)


def parse(text: str, name: str) -> Parsed:
    """Read YAML text.

    Args:
        text: the file's content.
        name: the file's name, for messages.

    Raises:
        RecipeError: one line with file and line number.
    """
    lines: dict[Path, int] = {}
    try:
        value = _value(text, lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = " ".join(filter(None, (error.context, error.problem)))
        raise RecipeError([f"{name}:{line}: does not read as YAML: {what}"]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"no text may hold the character U+{ord(text[error.position]):04X}; remove it"
        raise RecipeError([f"{name}:{line}: does not read as YAML: {what}"]) from None
    except RecursionError:
        what = "brackets or keys are nested too deeply; close what stands open"
        raise RecipeError([f"{name}:1: does not read as YAML: {what}"]) from None
    except (yaml.YAMLError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise RecipeError([f"{name}:1: does not read as YAML: {first}"]) from None
    return Parsed(name, value, lines)


def _value(text: str, lines: dict[Path, int]) -> Any:
    try:
        return _loaded(_QuickLoader, text, lines)
    except (yaml.YAMLError, RecursionError, ValueError):
        lines.clear()
        return _loaded(_Loader, text, lines)


def _loaded(kind: Any, text: str, lines: dict[Path, int]) -> Any:
    loader = kind(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_shared(node, set())
        return _plain(loader, node, (), lines)
    finally:
        loader.dispose()


def _refuse_shared(node: yaml.Node, seen: set[int]) -> None:
    """Refuse a node that stands in several places, which libyaml makes of an alias."""
    if id(node) in seen:
        raise yaml.YAMLError("an alias")
    seen.add(id(node))
    if isinstance(node, yaml.CollectionNode):
        for item in node.value:
            for part in item if isinstance(item, tuple) else (item,):
                _refuse_shared(part, seen)


def _plain(loader: _Loader, node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if len(path) > DEEPEST:
        raise RecursionError
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*path, i), lines) for i, item in enumerate(node.value)]
    return loader.construct_object(node)


def _mapping(
    loader: _Loader, node: yaml.MappingNode, path: Path, lines: dict[Path, int]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, item in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be a word", key_node.start_mark
            )
        key = str(key_node.value)
        if key in found:
            where = words((*path, key))
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{where} stands twice, first in line {lines[(*path, key)]}",
                key_node.start_mark,
            )
        lines[*path, key] = key_node.start_mark.line + 1
        found[key] = _plain(loader, item, (*path, key), lines)
    return found


def write(content: Mapping[str, Any]) -> str:
    """Return plain values as YAML that `parse` reads back."""
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=100)
