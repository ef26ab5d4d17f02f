"""The store explains itself, and can be cleaned and checked."""

import pytest
from fake_stages import ignore, number

from overread.pipeline.lock import try_lock
from overread.pipeline.run import run_steps
from overread.pipeline.step import Context
from overread.pipeline.store import Store, StoreError
from overread.pipeline.upkeep import differences, prune, verify, why


def _made(folder, *goals) -> Store:
    store = Store(folder)
    run_steps(goals, store, Context(), listen=ignore)
    return store


def test_differences_name_the_path() -> None:
    """Nested settings are compared leaf by leaf; lists of one length item by item."""
    old = {"fit": {"lr": 1, "epochs": 2}, "views": ["a", "b"], "gone": True}
    new = {"fit": {"lr": 3, "epochs": 2}, "views": ["a", "c"]}

    expected = [("fit.lr", 1, 3), ("gone", True, "(absent)"), ("views[1]", "b", "c")]
    assert expected == list(differences(old, new))


def test_why_names_the_setting_even_of_an_input(tmp_path) -> None:
    """The planned step is compared with the nearest entry, through its inputs."""
    store = _made(
        tmp_path, number("total", 2, number("one", 1)), number("total", 9, number("one", 8))
    )
    title, found = why(store, "number/total", [number("total", 2, number("one", 5))])

    assert "compared with" in title
    assert [str(one) for one in found] == ["number/one: value: 1 -> 5"]


def test_why_without_a_plan_compares_the_newest_entry(tmp_path) -> None:
    """The newest entry against the nearest older one."""
    store = _made(tmp_path, number("one", 1))
    _made(tmp_path, number("one", 2))

    assert [str(one) for one in why(store, "number/one")[1]] == ["number/one: value: 1 -> 2"]


def test_why_of_a_first_entry_says_so(tmp_path) -> None:
    """There is nothing to compare with."""
    title, found = why(_made(tmp_path, number("one", 1)), "number/one")

    assert "first of its name" in title
    assert found == []


def test_why_of_an_unknown_step_lists_the_known(tmp_path) -> None:
    """A wrong name lists the right ones."""
    with pytest.raises(StoreError, match="no step number/on in plan or store; known: number/one"):
        why(_made(tmp_path, number("one", 1)), "number/on")


def test_prune_removes_what_no_kept_step_needs(tmp_path) -> None:
    """Inputs of kept steps stay; a dry run removes nothing."""
    keep = number("total", 2, number("one", 1))
    store = _made(tmp_path, keep, number("old", 7))
    (tmp_path / "number" / "stray-0000.partial").mkdir()

    would = prune(store, [keep], dry=True)
    assert len(list(store.entries())) + len(list(store.leftovers())) == 4
    assert would == prune(store, [keep], dry=False)
    assert sorted(entry.manifest.name for entry in store.entries()) == ["one", "total"]
    assert list(store.leftovers()) == []


def test_prune_leaves_work_in_progress_alone(tmp_path) -> None:
    """A partial folder that a living process holds stays."""
    store, busy = Store(tmp_path), number("busy", 1)
    store.partial(busy).mkdir(parents=True)
    with try_lock(store.lock(busy)):
        assert prune(store, [], dry=False) == []
    assert [store.partial(busy)] == prune(store, [], dry=False)


def test_verify_finds_a_flipped_bit(tmp_path) -> None:
    """The entry and the file are named."""
    step = number("one", 1)
    store = _made(tmp_path, step)
    assert verify(store) == (1, [])
    (store.folder(step) / "number.json").write_text("3")

    assert (1, [f"{step.id}: the content of number.json has changed"]) == verify(store)


def test_verify_names_a_manifest_that_does_not_read(tmp_path) -> None:
    """Damage of the manifest is a fault like any other."""
    step = number("one", 1)
    store = _made(tmp_path, step)
    (store.folder(step) / "manifest.json").write_text("{")

    assert "manifest.json does not read" in verify(store)[1][0]
    assert store.entry(step) is None
