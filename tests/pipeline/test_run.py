"""What is missing is made, once, and comes out the same however often it was interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_stages import CACHE, SLOW, ignore, number, parts

from overread.pipeline.lock import try_lock
from overread.pipeline.run import RunError, missing_steps, run_steps
from overread.pipeline.step import Context, Stage, Step
from overread.pipeline.store import Store, StoreError

HERE = Path(__file__).parent
SLOW_DRIVER = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from fake_stages import SLOW, ignore, number
from overread.pipeline.run import run_steps
from overread.pipeline.step import Context
from overread.pipeline.store import Store
goals = [number(f"s{i}", 25 + i, stage=SLOW) for i in range(3)]
results = run_steps([number("sum", 0, *goals)], Store(Path(sys.argv[2])), Context(), listen=ignore)
sys.stdout.write(" ".join(r.state for r in results))
"""


def _run(store: Store, *goals: Step, **context) -> list[str]:
    results = run_steps(goals, store, Context(**context), listen=ignore)
    return [f"{result.step.label} {result.state}" for result in results]


def _value(store: Store, step: Step) -> int:
    return json.loads((store.folder(step) / "number.json").read_text())


def _drive(store: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", SLOW_DRIVER, str(HERE), str(store)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_inputs_are_made_first_and_finished_steps_are_kept(tmp_path) -> None:
    """The second run makes nothing."""
    store, one = Store(tmp_path), number("one", 1)
    total = number("total", 2, one)

    assert _run(store, total) == ["number/one made", "number/total made"]
    assert _run(store, total) == ["number/one kept", "number/total kept"]
    assert _value(store, total) == 3


def test_a_store_that_cannot_be_written_is_told_before_anything_is_made(
    tmp_path, monkeypatch
) -> None:
    """The folder, why, and what to do; no step begins."""

    def refuse(**_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)

    with pytest.raises(StoreError, match=r"cannot be written here \(Operation not.*--store"):
        _run(Store(tmp_path), number("one", 1))
    assert list(tmp_path.iterdir()) == []


def test_log_tells_what_was_made_and_kept(tmp_path) -> None:
    """The log has one line a step and run."""
    store, one = Store(tmp_path), number("one", 1)
    _run(store, one)
    _run(store, one)

    assert [line["event"] for line in store.read_log()] == ["begin", "made", "kept"]


def test_a_torn_line_of_the_log_does_not_spoil_the_next(tmp_path) -> None:
    """A kill in the middle of a line loses that line only."""
    store = Store(tmp_path)
    store.write_log(event="a")
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"event": "to')
    store.write_log(event="b")

    assert [line["event"] for line in store.read_log()] == ["a", "b"]


def test_removed_cache_is_not_made_again_when_nothing_needs_it(tmp_path) -> None:
    """The input of an entry that is there may be removed to save space."""
    store, cache = Store(tmp_path), number("pixels", 1, stage=CACHE)
    total = number("total", 2, cache)
    _run(store, total)
    for path in store.folder(cache).iterdir():
        path.unlink()

    assert missing_steps([total], store) == []
    assert _run(store, total) == ["number/total kept"]


def test_an_entry_that_lacks_a_file_is_made_again_and_set_aside(tmp_path) -> None:
    """An entry is whole, or it is not there; the damaged folder stays for inspection."""
    store, one = Store(tmp_path), number("one", 1)
    _run(store, one)
    (store.folder(one) / "number.json").unlink()

    assert _run(store, one) == ["number/one made"]
    assert [f"{store.folder(one).name}.damaged"] == [path.name for path in store.leftovers()]


def test_a_failing_step_is_named_in_one_line_and_leaves_no_entry(tmp_path) -> None:
    """What was made before stays."""

    def fail(task) -> None:
        message = "the disk\nis full"
        raise OSError(message)

    store, one = Store(tmp_path), number("one", 1)
    with pytest.raises(RunError, match=r"^bad/x: OSError: the disk is full$"):
        _run(store, Step(Stage("bad", 1, fail), "x", {}, {"one": one}))

    assert [entry.id.rsplit("-", 1)[0] for entry in store.entries()] == ["number/one"]


def test_a_broken_study_is_set_aside_and_the_others_go_on(tmp_path) -> None:
    """The manifest names it, and steps behind know it."""
    store, step = Store(tmp_path), parts("a", "b", "bad")
    behind = parts("a", "b", "bad", before=step)

    results = run_steps([behind], store, Context(max_broken=0.4), listen=ignore)
    assert [result.broken for result in results] == [{"bad": "ValueError: no pixels"}, {}]
    assert {"bad"} == set(store.entry(behind).manifest.broken)
    assert sorted(path.name for path in (store.folder(behind) / "parts").iterdir()) == ["a", "b"]


def test_too_many_broken_studies_are_refused(tmp_path) -> None:
    """A dataset that does not read is no dataset."""
    with pytest.raises(
        RunError, match=r"2 of 3 studies are broken.*max_broken = 0.1; such as bad1"
    ):
        _run(Store(tmp_path), parts("a", "bad1", "bad2"))


@pytest.mark.parametrize("workers", [1, 3])
def test_parts_that_are_whole_are_not_made_again(tmp_path, workers) -> None:
    """A half-made part is made anew, a whole one stays."""
    store, step = Store(tmp_path), parts("a", "b", "c/d")
    kept = store.partial(step) / "parts" / "a"
    kept.mkdir(parents=True)
    (kept / "id.txt").write_text("from before")
    (store.partial(step) / "parts" / ".b").mkdir()

    assert _run(store, step, workers=workers) == ["parts/all resumed"]
    texts = {path.read_text() for path in store.folder(step).glob("parts/*/id.txt")}
    assert {"from before", "b", "c/d"} == texts


def test_work_killed_at_any_moment_ends_the_same(tmp_path) -> None:
    """Kill -9 several times; the last run resumes and its files equal an undisturbed run's."""
    undisturbed, killed = Store(tmp_path / "a"), Store(tmp_path / "b")
    _drive(undisturbed.root).communicate()
    for _ in range(3):
        driver = _drive(killed.root)
        _wait_for(lambda: list(killed.root.glob("slow/*/state.json")), driver)
        time.sleep(0.15)
        os.kill(driver.pid, signal.SIGKILL)
        driver.communicate()
    driver = _drive(killed.root)
    states = driver.communicate()[0]

    assert driver.returncode == 0
    assert "resumed" in states
    assert _hashes(undisturbed) == _hashes(killed)


def test_two_drivers_share_a_store(tmp_path) -> None:
    """Each step is made once, by one of them, and both end well."""
    drivers = [_drive(tmp_path), _drive(tmp_path)]
    states = " ".join(driver.communicate()[0] for driver in drivers).split()

    assert [driver.returncode for driver in drivers] == [0, 0]
    assert {state: states.count(state) for state in set(states)} == {"made": 4, "kept": 4}


def test_a_lock_is_held_by_one_and_left_by_the_dead(tmp_path) -> None:
    """A lock file that a dead process left is taken over."""
    path = tmp_path / "step.lock"
    path.write_text('{"pid": 1, "host": "gone"}')

    with try_lock(path) as mine, try_lock(path) as second:
        assert (mine, second) == (True, False)
    assert not path.exists()


def test_slow_stage_makes_what_it_says(tmp_path) -> None:
    """The stage of the kill test adds up what it counts."""
    store, step = Store(tmp_path), number("s", 3, stage=SLOW)
    _run(store, step)

    assert _value(store, step) == 0 + 7 + 3


def _wait_for(seen, driver) -> None:
    end = time.monotonic() + 20
    while not seen() and driver.poll() is None and time.monotonic() < end:
        time.sleep(0.01)


def _hashes(store: Store) -> dict[str, str]:
    return {
        f"{entry.id}/{name}": known["sha256"]
        for entry in store.entries()
        for name, known in entry.manifest.files.items()
    }
