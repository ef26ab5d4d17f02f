"""From a name in a recipe to the module of that name.

The file is the registration: `use: slice_attention` in the room `overread.models` is
`overread/models/slice_attention.py`. A dotted name (`use: my_lab.my_model`) is taken from outside.
What a shelf's modules must offer is the business of the room, not of this file.
"""

import difflib
import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from pydantic import ConfigDict

from overread.shelf.spec import Spec

__all__ = ["Named", "NotOnShelfError", "names_on_shelf", "nearest", "settings_of", "take"]


class NotOnShelfError(LookupError):
    """A recipe names something that no file provides."""


class Named(Spec):
    """Settings of something on a shelf: `use` names the file, the rest is for its Spec.

    Example:
        >>> Named.model_validate({"use": "mean", "of": ["a", "b"]}).settings
        {'of': ['a', 'b']}
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    use: str

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings without the name."""
        return dict(self.model_extra or {})

    def identity(self) -> dict[str, Any]:
        """Return the settings that decide the result, as plain JSON values."""
        return self.model_dump(mode="json")


def names_on_shelf(room: str) -> tuple[str, ...]:
    """Return the names on the shelf `room` (such as "overread.models"), sorted.

    A module is on the shelf when it defines `Spec`; other files of the room are its workshop.
    """
    package = importlib.import_module(room)
    names = (info.name for info in pkgutil.iter_modules(package.__path__))
    return tuple(
        sorted(
            name
            for name in names
            if not name.startswith("_") and _defines_spec(importlib.import_module(f"{room}.{name}"))
        )
    )


def _defines_spec(module: ModuleType) -> bool:
    found = vars(module).get("Spec")
    return isinstance(found, type) and found.__module__ == module.__name__


def nearest(name: str, known: Iterable[str]) -> str:
    """Return words that list the right names, the nearest first.

    Example:
        >>> nearest("mena", ["mean", "stack"])
        'did you mean "mean"? known: mean, stack'
    """
    names = sorted(known)
    near = [one for one in names if one != name and sorted(one) == sorted(name)]  # letters swapped
    near = near or difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    return f"{hint}known: {', '.join(names) if names else 'none'}"


def take(room: str, name: str) -> ModuleType:
    """Return the module called `name` from the shelf `room`, or a dotted name from outside.

    Raises:
        NotOnShelfError: if there is no such file; the words list the right names and the nearest.
    """
    if "." in name:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise NotOnShelfError(
                f'"{name}" cannot be imported ({error}); a dotted name must be an installed module'
            ) from error
    kind = room.rsplit(".", 1)[-1]
    if name.isidentifier() and importlib.util.find_spec(f"{room}.{name}"):
        module = importlib.import_module(f"{room}.{name}")
        if _defines_spec(module):
            return module
    raise NotOnShelfError(f'no "{name}" in {kind}: {nearest(name, names_on_shelf(room))}')


def settings_of(room: str, named: Named | Mapping[str, Any]) -> tuple[ModuleType, Any]:
    """Return the module and its validated Spec for `{use: name, ...settings}`.

    Raises:
        NotOnShelfError: if there is no such name.
        pydantic.ValidationError: if a setting is unknown or wrong.
    """
    chosen = named if isinstance(named, Named) else Named.model_validate(dict(named))
    module = take(room, chosen.use)
    return module, module.Spec.model_validate(chosen.settings)
