"""Stages whose workers die, to test a cluster with; workers import them by name."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from fake_stages import Patient

from overread.pipeline.parts import map_parts
from overread.pipeline.step import Needs, Outcome, Stage, Step, Task


def make_fatal_parts(task: Task) -> Outcome:
    """Write one file a patient and a line a try; the patient who is fatal kills the worker once.

    Patients of a meeting wait until all of them are looked at.
    """
    place = Path(task.step.settings["place"])

    def work(patient: Patient, folder: Path) -> None:
        with (place / f"{patient.id}.tries").open("a") as file:
            file.write(f"{os.getpid()}\n")
        tries = (place / f"{patient.id}.tries").read_text().split()
        if patient.id == task.step.settings["fatal"] and len(tries) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        _meet(place, patient.id, task.step.settings["meeting"])
        (folder / "id.txt").write_text(patient.id)

    return map_parts(task, [Patient(name) for name in task.step.settings["patients"]], work)


def _meet(place: Path, patient: str, meeting: Sequence[str]) -> None:
    deadline = time.monotonic() + 60
    while patient in meeting and not all((place / f"{one}.tries").exists() for one in meeting):
        if time.monotonic() > deadline:
            message = "nobody came"
            raise TimeoutError(message)
        time.sleep(0.02)


def make_number_of_processes(task: Task) -> None:
    """Note who takes part."""
    from overread.learning.group import current_group

    group = current_group()
    place = Path(task.step.settings["place"])
    (place / f"rank{group.rank}").write_text(f"{group.rank} {group.size} {task.folder}")
    (task.folder / "number.json").write_text(str(group.size))


FATAL = Stage("fatal", 1, make_fatal_parts)
TOGETHER = Stage("together", 1, make_number_of_processes)


def fatal(place: Path, *patients: str, kills: str = "", meeting: Sequence[str] = ()) -> Step:
    """Return a step over patients; one kills the first worker who looks, some wait for another."""
    settings = {"patients": list(patients), "fatal": kills, "place": str(place)}
    settings["meeting"] = list(meeting)
    return Step(FATAL, "all", settings)


def together(place: Path, needs: Needs) -> Step:
    """Return a step that several processes make."""
    return Step(TOGETHER, "x", {"place": str(place)}, needs=needs)
