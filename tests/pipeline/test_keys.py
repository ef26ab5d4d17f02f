"""Keys follow from what decides the result, and from nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_stages import NUMBER, number

from overread.pipeline.keys import canonical, digest_folder, hash_json
from overread.pipeline.step import in_order


def test_canonical_text_does_not_depend_on_the_order_of_keys() -> None:
    """Two dictionaries with the same content have one text."""
    assert canonical({"a": 1, "b": [2.0, None]}) == canonical({"b": [2.0, None], "a": 1})


def test_not_a_number_has_no_key() -> None:
    """NaN has no JSON, hence no key."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        hash_json({"lr": float("nan")})


def test_key_is_the_same_in_every_process_and_release() -> None:
    """A key that moved would make everybody's finished work stale."""
    assert number("a", 1).key == "4c5f95f35325a8fb"


def test_key_ignores_the_name() -> None:
    """Renaming a member in a recipe does not change what it is."""
    assert number("a", 1).key == number("b", 1).key


@pytest.mark.parametrize(
    "other",
    [
        number("a", 2, number("i", 1)),
        number("a", 1, number("i", 2)),
        number("a", 1),
        number("a", 1, number("i", 1), stage=replace(NUMBER, version=2)),
        number("a", 1, number("i", 1), stage=replace(NUMBER, name="other")),
    ],
    ids=["setting", "input", "no input", "stage version", "stage"],
)
def test_key_changes_with(other) -> None:
    """Each thing that decides the result changes the key."""
    assert number("a", 1, number("i", 1)).key != other.key


def test_steps_come_after_their_inputs_and_once() -> None:
    """A step shared by two others is listed once, before both."""
    shared = number("shared", 1)
    first, second = number("first", 2, shared), number("second", 3, shared)

    assert [step.name for step in in_order([first, second])] == ["shared", "first", "second"]


def _dataset(folder: Path) -> Path:
    (folder / "images" / "1").mkdir(parents=True)
    (folder / "images" / "1" / "1.dcm").write_bytes(b"pixels")
    (folder / "train.csv").write_text("study,grade\n1,0\n")
    return folder


def test_digest_stays_when_the_folder_moves_or_is_touched(tmp_path) -> None:
    """Names are relative and times do not count."""
    before = digest_folder(_dataset(tmp_path / "a"))
    moved = (tmp_path / "a").rename(tmp_path / "b")
    (moved / "train.csv").touch()
    (moved / ".DS_Store").write_text("hidden files do not count")

    assert before == digest_folder(moved)
    assert {name: before[name] for name in ("files", "bytes")} == {"files": 2, "bytes": 22}


def test_digest_sees_a_corrected_label_of_the_same_size(tmp_path) -> None:
    """A table counts with its content."""
    folder = _dataset(tmp_path)
    before = digest_folder(folder)
    (folder / "train.csv").write_text("study,grade\n1,2\n")

    assert before["digest"] != digest_folder(folder)["digest"]


def test_digest_opens_no_image(tmp_path) -> None:
    """Images count with name and size; an unreadable one does not stop the planning."""
    folder = _dataset(tmp_path)
    before = digest_folder(folder)
    (folder / "images" / "1" / "1.dcm").write_bytes(b"PIXELS")

    assert before == digest_folder(folder)
