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
from overread.shelf.starter import die_with_the_starter

__all__ = [
    "Named",
    "NotOnShelfError",
    "Spec",
    "die_with_the_starter",
    "names_on_shelf",
    "nearest",
    "open_when_used",
    "settings_of",
    "take",
]
