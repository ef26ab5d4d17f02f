"""A room opens the file of a name when the name is used, not before."""

import importlib
import sys
from pathlib import Path

import pytest

INIT = """
import typing
from overread import shelf

if typing.TYPE_CHECKING:
    from {room}.heavy import weigh
    from {room}.plain import plain
else:
    __getattr__ = shelf.open_when_used(__name__)

__all__ = ["plain", "weigh"]
"""


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Name of a room with a file `heavy` and a file `plain` that holds a function `plain`."""
    name = f"room_of_{request.node.name}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text(INIT.format(room=name))
    (folder / "plain.py").write_text("def plain(): return 'plain'\n")
    (folder / "heavy.py").write_text(
        f"from {name}.plain import plain\ndef weigh(): return plain() + ' and heavy'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_a_name_opens_its_file_and_no_other(room: str) -> None:
    """Importing a room loads nothing; a name loads its own file, once."""
    module = importlib.import_module(room)
    before = {f"{room}.plain", f"{room}.heavy"} & set(sys.modules)
    said = module.plain()

    assert set() == before
    assert said == "plain"
    assert f"{room}.heavy" not in sys.modules
    assert module.plain is module.plain


def test_a_name_is_not_hidden_by_the_file_spelt_like_it(room: str) -> None:
    """A function `plain` of a file `plain` stays a function when a neighbour opens that file."""
    module = importlib.import_module(room)
    heavy = importlib.import_module(f"{room}.heavy")

    assert heavy.weigh() == "plain and heavy"
    assert module.plain() == "plain"
    assert sys.modules[f"{room}.plain"].plain is module.plain


def test_a_room_tells_what_it_shows(room: str) -> None:
    """Names that are not loaded yet are listed too; others are refused as of any module."""
    module = importlib.import_module(room)

    assert {"plain", "weigh"} <= set(dir(module))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec(f"from {room} import nothing")  # noqa: S102 - the statement itself is tested


def test_what_is_put_into_a_room_stays(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name can be replaced, as tests do, and put back."""
    module = importlib.import_module(room)
    with monkeypatch.context() as patch:
        patch.setattr(module, "plain", lambda: "other")
        replaced = module.plain()

    assert (replaced, module.plain()) == ("other", "plain")
