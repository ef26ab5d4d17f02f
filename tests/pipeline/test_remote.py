"""Finished steps are shared through storage that has a URL: whole, once, and found again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_stages import ignore, number, parts

from overread.pipeline.remote import Remote, RemoteError
from overread.pipeline.run import RunError, run_steps
from overread.pipeline.step import Context, Step
from overread.pipeline.store import Store, StoreError, open_store, root_of
from overread.pipeline.upkeep import prune

HERE = Path(__file__).parent
DRIVER = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from fake_stages import SLOW, ignore, number
from overread.pipeline.remote import Remote
from overread.pipeline.run import run_steps
from overread.pipeline.step import Context
from overread.pipeline.store import Store
goals = [number(f"s{i}", 25 + i, stage=SLOW) for i in range(3)]
store = Store(Path(sys.argv[2]), Remote(sys.argv[3]))
results = run_steps([number("sum", 0, *goals)], store, Context(), listen=ignore)
sys.stdout.write(" ".join(r.state for r in results))
"""


@pytest.fixture(params=["file", "memory"])
def url(request, tmp_path) -> str:
    """A place of its own for each test."""
    return f"{request.param}://{tmp_path}/far"


def _run(store: Store, *goals: Step) -> list[str]:
    results = run_steps(goals, store, Context(), listen=ignore)
    return [f"{result.step.label} {result.state}" for result in results]


def _value(store: Store, step: Step) -> int:
    return json.loads((store.bring(step) / "number.json").read_text())


def _drive(root: Path, url: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", DRIVER, str(HERE), str(root), url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_what_one_machine_made_another_takes(tmp_path, url) -> None:
    """Nothing is made twice, and only what is read is brought."""
    one, other = (Store(tmp_path / name, Remote(url)) for name in "ab")
    first = parts("x", "y/z")
    total = number("total", 2, number("one", 1))
    _run(one, total, first)

    assert _run(other, total, first) == [
        "number/one kept",
        "number/total kept",
        "parts/all kept",
    ]
    assert not other.folder(total).exists()
    assert _value(other, total) == 3
    assert (other.bring(first) / "parts" / "x" / "id.txt").read_text() == "x"
    assert [entry.id for entry in other.entries()][-1] == number("one", 1).id


def test_a_step_reads_inputs_that_are_away(tmp_path, url) -> None:
    """They are brought when it is made."""
    one, other = (Store(tmp_path / name, Remote(url)) for name in "ab")
    needed = number("one", 1)
    _run(one, needed)
    total = number("total", 2, needed)

    assert _run(other, total) == ["number/one kept", "number/total made"]
    assert _value(one, total) == 3


def test_files_without_a_mark_are_no_step(tmp_path, url, monkeypatch) -> None:
    """A machine that dies before the mark has put nothing; its next run makes up for it."""
    one, other, step = Store(tmp_path / "a", Remote(url)), Remote(url), number("one", 1)

    def die(self: Remote, name: str, value: object) -> None:
        message = "the line is dead"
        raise OSError(message)

    with monkeypatch.context() as patch:
        patch.setattr(Remote, "_write", die)
        with pytest.raises(OSError, match="the line is dead"):
            _run(one, step)

    assert other.manifest(step.id) is None
    assert _run(one, step) == ["number/one kept"]
    assert other.manifest(step.id) is not None


def test_a_torn_mark_is_no_mark(tmp_path, url) -> None:
    """The step is made again, and marked anew."""
    one, other, step = (Store(tmp_path / "a", Remote(url)), Remote(url), number("one", 1))
    _run(one, step)
    files, root = other._place
    files.pipe_file(f"{root}/{step.id}.json", b'{"stage": "numb')

    assert other.manifest(step.id) is None
    assert _run(Store(tmp_path / "b", other), step) == ["number/one made"]


def test_files_that_are_not_those_of_the_mark_are_refused(tmp_path, url) -> None:
    """Torn or changed: told with what to do, and nothing is left in the working folder."""
    store, step = Store(tmp_path / "a", Remote(url)), number("one", 1)
    _run(store, step)
    files, root = Remote(url)._place
    (packed,) = files.glob(f"{root}/{step.id}/*.tar")
    whole = files.cat_file(packed)
    other = Store(tmp_path / "b", Remote(url))

    files.pipe_file(packed, whole[:100])
    with pytest.raises(RemoteError, match=r"do not read.*and run again"):
        other.bring(step)
    files.pipe_file(packed, whole.replace(b"1", b"2"))
    with pytest.raises((StoreError, RemoteError), match="run again"):
        other.bring(step)
    assert not list((tmp_path / "b").glob("*/*"))


def test_a_lease_of_another_machine_is_respected_until_it_is_silent(tmp_path, url) -> None:
    """Then the step is ours, and the lease is gone when it is made."""
    store, step = Store(tmp_path, Remote(url)), number("one", 1)
    who = {"pid": 7, "host": "far", "machine": "m", "token": "t"}
    store.remote._write(f"{step.id}.lease", {**who, "time": time.time()})
    with store.hold(step) as mine:
        assert not mine
    assert store.holder(step) == "process 7 on far"

    store.remote._write(f"{step.id}.lease", {**who, "time": time.time() - 90})
    assert store.holder(step) is None
    assert _run(store, step) == ["number/one made"]
    assert store.remote._read(f"{step.id}.lease") is None


def test_prune_removes_here_and_there(tmp_path, url) -> None:
    """Also what lies only there."""
    one, other = (Store(tmp_path / name, Remote(url)) for name in "ab")
    kept, gone = number("kept", 1), number("gone", 2)
    _run(one, kept, gone)

    assert [path.name for path in prune(other, [kept], dry=False)] == [other.folder(gone).name]
    assert list(Remote(url).steps()) == [kept.id]


def test_two_machines_make_each_step_once(tmp_path) -> None:
    """Each with a folder of its own, and both end well."""
    url = f"file://{tmp_path}/far"
    drivers = [_drive(tmp_path / name, url) for name in "ab"]
    states = " ".join(driver.communicate()[0] for driver in drivers).split()

    assert [driver.returncode for driver in drivers] == [0, 0]
    assert {state: states.count(state) for state in set(states)} == {"made": 4, "kept": 4}


def test_a_machine_that_was_killed_goes_on(tmp_path) -> None:
    """Kill -9 in the middle: its own folder has what it did, the shared place only whole steps."""
    url = f"file://{tmp_path}/far"
    driver = _drive(tmp_path / "a", url)
    until = time.monotonic() + 30
    while not list((tmp_path / "a").glob("slow/*/state.json")) and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.15)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    driver = _drive(tmp_path / "a", url)
    states = driver.communicate()[0]

    assert "resumed" in states
    assert len(list(Remote(url).steps())) == 4


def test_a_url_without_a_driver_says_what_to_install(tmp_path) -> None:
    """Or what is wrong with it."""
    with pytest.raises((RemoteError, RunError), match=r"--store nowhere://x: .*nowhere"):
        _run(Store(tmp_path, Remote("nowhere://x")), number("one", 1))


def test_a_url_works_in_the_user_s_cache(monkeypatch, tmp_path) -> None:
    """A folder is a folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert root_of("s3://bucket/my runs") == tmp_path / "overread" / "s3-bucket-my-runs"
    assert open_store("store") == Store(Path("store"))
