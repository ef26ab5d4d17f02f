"""Rooms that open when they are used: importing a room loads none of its files.

What a room shows stands in its `__init__` under `if typing.TYPE_CHECKING:`, for type checkers; the
same lines tell here in which file a name is found. So who wants the settings of a network does not
wait for the library that computes it. What rooms there are is not known here.
"""

import ast
import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

__all__ = ["Room", "open_when_used"]

GUARDS = {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


class Room(ModuleType):
    """A package whose public names are loaded when they are first asked for."""

    _places: dict[str, str]

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep a public name free of the file that is spelt like it, which an import puts here."""
        if not (isinstance(value, ModuleType) and name in self._places):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        """Return what the room holds and what it shows."""
        return sorted({*self.__dict__, *self._places})


def open_when_used(room: str) -> Callable[[str], Any]:
    """Turn the package that is being imported into a `Room`.

    Args:
        room: its name.

    Returns:
        What loads a public name of it, to be bound to `__getattr__` in its `__init__`.
    """
    module = sys.modules[room]
    places = _places(module)
    vars(module)["_places"] = places
    module.__class__ = Room

    def load(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {room} has no attribute {name!r}")
        value = vars(module)[name] = getattr(importlib.import_module(places[name]), name)
        return value

    return load


def _places(module: ModuleType) -> dict[str, str]:
    """Return {public name: file}, as the lines for type checkers say."""
    loader: Any = module.__spec__.loader if module.__spec__ else None
    tree = ast.parse(loader.get_source(module.__name__))
    return {
        alias.name: line.module
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) in GUARDS
        for line in node.body
        if isinstance(line, ast.ImportFrom) and line.module
        for alias in line.names
    }
