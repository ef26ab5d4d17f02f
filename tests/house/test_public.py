"""What a package shows is what it says that it shows."""

import importlib
import pkgutil
from types import ModuleType

import pytest

import overread

ROOMS = sorted(info.name for info in pkgutil.iter_modules(overread.__path__) if info.ispkg)


@pytest.mark.parametrize("room", ROOMS)
def test_all_is_complete_and_true(room: str) -> None:
    """`__all__` names exactly the public names of a room, and each can be imported."""
    module = importlib.import_module(f"overread.{room}")
    shown = set(module.__all__)
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert {name for name in shown if not hasattr(module, name)} == set()
    assert public - shown == set()
    assert set(vars(module).get("_places", shown)) == shown  # what type checkers are told


def test_top_level_names_exist() -> None:
    """Every name that `import overread` promises is there."""
    missing = [name for name in overread.__all__ if not hasattr(overread, name)]

    assert missing == []
