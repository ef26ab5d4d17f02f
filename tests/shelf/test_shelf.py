"""The shelf: a name finds its file; settings are frozen, complete and plain."""

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from overread.shelf import (
    Named,
    NotOnShelfError,
    Spec,
    names_on_shelf,
    nearest,
    settings_of,
    take,
)

MODULE = """
from overread.shelf import Spec as Base

class Spec(Base):
    size: int = 3
"""


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A shelf with two entries and a workshop file."""
    folder = tmp_path / "toy_room"
    folder.mkdir()
    for name, text in {
        "__init__": "", "chair": MODULE, "table": MODULE,
        "glue": "from overread.shelf import Spec", "_hidden": MODULE,
    }.items():  # fmt: skip
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "toy_room"
    for name in [name for name in sys.modules if name.split(".")[0] == "toy_room"]:
        del sys.modules[name]


def test_names(room) -> None:
    """Modules that define their own Spec are on the shelf; others are its workshop."""
    assert names_on_shelf(room) == ("chair", "table")


def test_take(room) -> None:
    """A name finds its file, a dotted name an installed module."""
    assert take(room, "chair").__name__ == "toy_room.chair"
    assert take(room, "toy_room.table").__name__ == "toy_room.table"


@pytest.mark.parametrize("name", ["chiar", "glue", "no such", ""])
def test_wrong_names(room, name) -> None:
    """A name that no file provides is answered with the right ones."""
    with pytest.raises(NotOnShelfError, match="known: chair, table"):
        take(room, name)


def test_wrong_dotted_name(room) -> None:
    """A dotted name that cannot be imported says so."""
    with pytest.raises(NotOnShelfError, match="must be an installed module"):
        take(room, "nowhere.at_all")


def test_settings(room) -> None:
    """Settings beside `use` are validated by the module's Spec."""
    module, spec = settings_of(room, {"use": "chair", "size": 5})

    assert module.__name__ == "toy_room.chair"
    assert spec.size == 5
    assert settings_of(room, Named(use="table"))[1].size == 3
    with pytest.raises(ValidationError, match="Extra inputs"):
        settings_of(room, {"use": "chair", "colour": "red"})


def test_nearest() -> None:
    """The nearest name is offered, if any is near."""
    assert nearest("mena", ["mean", "stack"]) == 'did you mean "mean"? known: mean, stack'
    assert nearest("trsut", ["truth", "trust"]).startswith('did you mean "trust"?')
    assert nearest("xyz", ["mean"]) == "known: mean"
    assert nearest("x", []) == "known: none"


class Inner(Spec):
    """A part of other settings."""

    depth: int = 1


class Outer(Spec):
    """Settings with a late option and a speed knob."""

    inner: Inner = Inner()
    path: tuple[int, ...] = (1, 2)
    late: bool = False
    workers: int = 4

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """A later option."""
        return frozenset({"late"})

    @classmethod
    def speed(cls) -> frozenset[str]:
        """A knob that changes nothing but time."""
        return frozenset({"workers"})


def test_identity() -> None:
    """Speed never enters the identity, a later option only away from its default."""
    plain = {"inner": {"depth": 1}, "path": [1, 2]}

    assert Outer(workers=9).identity() == plain
    assert Outer(late=True).identity() == {**plain, "late": True}
    assert Named(use="x", of=["a"]).identity() == {"use": "x", "of": ["a"]}


def test_frozen_and_complete() -> None:
    """Settings cannot be changed, and unknown ones are refused."""
    with pytest.raises(ValidationError, match="frozen"):
        Outer().late = True
    with pytest.raises(ValidationError, match="Extra inputs"):
        Outer(colour="red")
