"""Stages without pixels, to test the store and the runner with."""

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from overread.pipeline.parts import map_parts, without
from overread.pipeline.run import Event
from overread.pipeline.step import Outcome, Stage, Step, Task


@dataclass(frozen=True)
class Patient:
    """A study without images."""

    id: str


def ignore(event: Event) -> None:
    """Show nothing."""


def make_number(task: Task) -> None:
    """Write the sum of the setting and of the inputs."""
    total = task.step.settings["value"]
    for folder in task.inputs.values():
        total += json.loads((folder / "number.json").read_text())
    (task.folder / "number.json").write_text(json.dumps(total))


def make_slowly(task: Task) -> None:
    """Count in steps of 20 ms, each step kept in the folder, as a training does."""
    state = task.folder / "state.json"
    done = json.loads(state.read_text())["done"] if state.exists() else []
    for step in range(len(done), task.step.settings["value"]):
        done.append(step * 7 % 11)
        beside = state.with_suffix(".new")
        beside.write_text(json.dumps({"done": done}))
        beside.replace(state)
        time.sleep(0.02)
    state.unlink()
    (task.folder / "number.json").write_text(json.dumps(sum(done)))


def make_meeting(task: Task) -> None:
    """Come to a place and wait until all others are there."""
    place = Path(task.step.settings["place"])
    (place / f"{task.step.name}.here").touch()
    deadline = time.monotonic() + 30
    while len(list(place.glob("*.here"))) < task.step.settings["of"]:
        task.context.on_progress("waiting", 0, 1)
        if time.monotonic() > deadline:
            message = "nobody came"
            raise TimeoutError(message)
        time.sleep(0.02)
    task.context.on_progress("waiting", 1, 1)
    make_number(task)


def make_mourning(task: Task) -> None:
    """Fail, in one way or another."""
    if task.step.settings["how"] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    message = "nothing is left"
    raise ValueError(message)


def make_parts(task: Task) -> Outcome:
    """Write one file a patient; patients called "bad..." are broken."""

    def work(patient: Patient, folder: Path) -> None:
        if patient.id.startswith("bad"):
            message = "no pixels"
            raise ValueError(message)
        (folder / "id.txt").write_text(patient.id)

    patients = [Patient(name) for name in task.step.settings["patients"]]
    return map_parts(task, without(patients, task.broken), work)


NUMBER = Stage("number", 1, make_number)
CACHE = Stage("cache", 1, make_number, cache=True)
SLOW = Stage("slow", 1, make_slowly)
MEETING = Stage("meeting", 1, make_meeting)
MOURNING = Stage("mourning", 1, make_mourning)
PARTS = Stage("parts", 1, make_parts)


def number(name: str, value: int, *inputs: Step, stage: Stage = NUMBER, **more: object) -> Step:
    """Return a step that adds `value` to its inputs."""
    needed = {f"in{i}": step for i, step in enumerate(inputs)}
    return Step(stage, name, {"value": value, **more}, needed)


def parts(*patients: str, **inputs: Step) -> Step:
    """Return a step over patients."""
    return Step(PARTS, "all", {"patients": list(patients)}, inputs)
