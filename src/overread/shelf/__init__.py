"""A name in a recipe becomes the file of that name; the base class of all settings."""

from overread.shelf.find import (
    Named,
    NotOnShelfError,
    names_on_shelf,
    nearest,
    settings_of,
    take,
)
from overread.shelf.rooms import open_when_used
from overread.shelf.spec import Spec

__all__ = [
    "Named",
    "NotOnShelfError",
    "Spec",
    "names_on_shelf",
    "nearest",
    "open_when_used",
    "settings_of",
    "take",
]
