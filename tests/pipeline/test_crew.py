"""Several steps at a time: the same results, the same errors, and nobody is left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_stages import MEETING, MOURNING, SLOW, number

from overread.pipeline.crew import default_jobs
from overread.pipeline.lock import is_held
from overread.pipeline.run import Event, RunError, run_steps
from overread.pipeline.step import Context, Step
from overread.pipeline.store import Store

HERE = Path(__file__).parent
DRIVER = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from fake_stages import SLOW, ignore, number
from overread.pipeline.run import run_steps
from overread.pipeline.step import Context
from overread.pipeline.store import Store
if __name__ == "__main__":
    goals = [number(f"s{i}", 150 + i, stage=SLOW) for i in range(2)]
    run_steps(goals, Store(Path(sys.argv[2])), Context(jobs=2), listen=ignore)
"""


def _run(store: Store, *goals: Step, jobs: int = 2) -> list[Event]:
    events: list[Event] = []
    run_steps(goals, store, Context(jobs=jobs), listen=events.append)
    return events


def _value(store: Store, step: Step) -> int:
    return json.loads((store.folder(step) / "number.json").read_text())


def _until(true) -> None:
    deadline = time.monotonic() + 30
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert true()


def test_two_steps_are_made_at_a_time_and_their_readers_after_them(tmp_path) -> None:
    """Each of the two waits for the other to have begun: one after another would never end."""
    store = Store(tmp_path / "store")
    two = [number(name, 3, stage=MEETING, place=str(tmp_path), of=2) for name in ("a", "b")]
    total = number("total", 1, *two)

    events = _run(store, total)

    assert _value(store, total) == 7
    assert [event.step for event in events if event.kind == "end"][-1] == "number/total"
    assert {e.step for e in events if e.kind == "progress"} == {"meeting/a", "meeting/b"}
    assert sorted(e.position for e in events if e.kind == "begin") == [1, 2, 3]


def test_a_failure_in_a_process_is_told_as_one_line(tmp_path) -> None:
    """The line is that of a run without processes."""
    step = number("x", 1, stage=MOURNING, how="raise")

    lines = []
    for jobs in (1, 2):
        with pytest.raises(RunError) as told:
            _run(Store(tmp_path / str(jobs)), step, jobs=jobs)
        lines.append(str(told.value))

    assert lines == ["mourning/x: ValueError: nothing is left"] * 2


def test_a_process_that_dies_is_named_with_the_signal(tmp_path) -> None:
    """Such as when the memory ran out."""
    step = number("x", 1, stage=MOURNING, how="kill")

    with pytest.raises(RunError, match=r"^mourning/x: its process died \(SIGKILL\).*--jobs"):
        _run(Store(tmp_path), step)

    assert not is_held(Store(tmp_path).lock(step))


def test_a_step_that_another_driver_makes_is_left_to_it(tmp_path) -> None:
    """Two drivers on one store make each step once."""
    store = Store(tmp_path)
    steps = [number(f"s{i}", 20, stage=SLOW) for i in range(4)]
    other = threading.Thread(target=_run, args=(store, *steps), kwargs={"jobs": 1})
    other.start()
    _run(store, *steps)
    other.join()

    made = [line["step"] for line in store.read_log() if line["event"] == "made"]
    assert sorted(made) == sorted(step.id for step in steps)


def test_a_crew_dies_with_its_starter_and_the_next_run_goes_on(tmp_path) -> None:
    """After kill -9 of the starter no process holds a step, and the work done counts."""
    store = Store(tmp_path)
    steps = [number(f"s{i}", 150 + i, stage=SLOW) for i in range(2)]
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    driver = subprocess.Popen([sys.executable, str(script), str(HERE), str(tmp_path)])
    _until(lambda: all((store.partial(step) / "state.json").exists() for step in steps))
    driver.kill()
    driver.wait()

    _until(lambda: not any(is_held(store.lock(step)) for step in steps))
    states = {
        event.step: event.state for event in _run(store, *steps, jobs=1) if event.kind == "end"
    }
    assert states == {"slow/s0": "resumed", "slow/s1": "resumed"}
    assert [_value(store, step) for step in steps] == [
        sum(step * 7 % 11 for step in range(150 + more)) for more in range(2)
    ]


def test_the_number_of_jobs_never_exceeds_the_cores() -> None:
    """And there is always one."""
    assert 1 <= default_jobs() <= max(1, len(os.sched_getaffinity(0)))


def test_an_interruption_is_for_the_starter(tmp_path) -> None:
    """Ctrl-C reaches the whole group; the processes leave it to the starter to end them."""
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    store = Store(tmp_path)
    steps = [number(f"s{i}", 150 + i, stage=SLOW) for i in range(2)]
    driver = subprocess.Popen(
        [sys.executable, str(script), str(HERE), str(tmp_path)],
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    _until(lambda: all((store.partial(step) / "state.json").exists() for step in steps))
    os.killpg(driver.pid, signal.SIGINT)
    _, told = driver.communicate(timeout=30)

    assert told.count("Traceback") == 1
    assert not any(is_held(store.lock(step)) for step in steps)
