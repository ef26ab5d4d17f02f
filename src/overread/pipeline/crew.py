"""Who makes the steps: this process, one after another, several processes, or a Ray cluster.

A process of a crew takes one step after another. It dies with the process that started it, whatever
killed that one, so the locks and the partial folders that it held are free for the next run.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Protocol

from overread.models import flush_denormals, keep_memory, use_threads
from overread.pipeline.making import RunError, StepResult, make_step
from overread.pipeline.step import Context, Step, silent
from overread.pipeline.store import Store
from overread.shelf import die_with_the_starter

if TYPE_CHECKING:
    from overread.pipeline.ray_crew import RayCrew

__all__ = ["Crew", "assemble", "default_jobs"]

Tell = Callable[[Step, str, int, int], None]
"""Told (step, what, done, total) while a step is being made."""

MOST_JOBS = 4
MEMORY_PER_JOB = 2 << 30


class Crew(Protocol):
    """Those who make steps."""

    @property
    def free(self) -> int:
        """How many more steps can be started now."""

    @property
    def busy(self) -> Mapping[str, Step]:
        """The steps being made, by id."""

    def start(self, step: Step) -> None:
        """Begin to make a step whose inputs are there."""

    def ended(self) -> list[StepResult]:
        """Wait until a step ends and return what came of it; a step left to others is not busy.

        Raises:
            RunError: if a step failed.
        """


@contextmanager
def assemble(store: Store, context: Context, tell: Tell) -> Iterator[Crew]:
    """Have the cluster of `context.ray`, or a crew of `context.jobs`, while the block lasts.

    Nobody of it outlives the block.

    Raises:
        RunError: if there is no such cluster.
    """
    crew: RayCrew | Processes
    if context.ray is not None:
        crew = _ray_crew(store, context, tell)
    elif context.jobs > 1:
        crew = Processes(store, context, tell)
    else:
        yield Alone(store, context, tell)
        return
    try:
        yield crew
    finally:
        crew.dismiss()


def _ray_crew(store: Store, context: Context, tell: Tell) -> "RayCrew":
    if find_spec("ray") is None:
        raise RunError("--ray needs the package ray: pip install 'overread[ray]'")
    from overread.pipeline.ray_crew import RayCrew

    return RayCrew(store, context, tell)


def default_jobs() -> int:
    """Return how many steps this machine should make at a time.

    Small trainings leave cores idle, so a CPU is shared by up to four; a GPU is not shared.
    """
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        return 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(_cores(), MOST_JOBS, memory // MEMORY_PER_JOB))


def _cores() -> int:
    return len(os.sched_getaffinity(0))


class Alone:
    """This process."""

    def __init__(self, store: Store, context: Context, tell: Tell) -> None:
        self.store, self.context, self.tell = store, context, tell
        self.free = 1
        self.busy: Mapping[str, Step] = {}
        self._results: list[StepResult] = []

    def start(self, step: Step) -> None:
        """Make the step at once."""
        context = replace(self.context, on_progress=partial(self.tell, step))
        if result := make_step(step, self.store, context):
            self._results.append(result)
        self.free = 0

    def ended(self) -> list[StepResult]:
        """Return the result of the step that was started."""
        results, self._results, self.free = self._results, [], 1
        return results


class Processes:
    """Processes of their own, started when there is work for them."""

    def __init__(self, store: Store, context: Context, tell: Tell) -> None:
        self.store, self.context, self.tell = store, context, tell
        self.busy: dict[str, Step] = {}
        self._idle: list[_Hand] = []
        self._at: dict[str, _Hand] = {}

    @property
    def free(self) -> int:
        """How many more steps can be started now."""
        return self.context.jobs - len(self.busy)

    def start(self, step: Step) -> None:
        """Give the step to a process that has nothing to do."""
        hand = self._idle.pop() if self._idle else _Hand(self.store, self.context)
        hand.connection.send(step)
        self.busy[step.id], self._at[step.id] = step, hand

    def ended(self) -> list[StepResult]:
        """Pass on what the processes tell until one of them is through."""
        results: list[StepResult] = []
        before = len(self.busy)
        while self.busy and len(self.busy) == before:
            for connection in wait([hand.connection for hand in self._at.values()]):
                results += self._hear(connection)
        return results

    def _hear(self, connection: object) -> list[StepResult]:
        step = next(
            self.busy[name] for name, hand in self._at.items() if hand.connection is connection
        )
        hand = self._at[step.id]
        try:
            kind, *content = hand.connection.recv()
        except EOFError:
            raise RunError(_died(step, hand)) from None
        if kind == "progress":
            self.tell(step, *content)
            return []
        if kind == "failed":
            raise RunError(content[0])
        del self.busy[step.id], self._at[step.id]
        self._idle.append(hand)
        return [replace(content[0], step=step)] if content[0] is not None else []

    def dismiss(self) -> None:
        """End all processes; what they were making can be resumed."""
        for hand in (*self._idle, *self._at.values()):
            hand.process.terminate()
            hand.process.join()
            hand.connection.close()


def _died(step: Step, hand: "_Hand") -> str:
    hand.process.join()
    code = hand.process.exitcode or 0
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return (
        f"{step.label}: its process died ({how}); if memory ran out, ask for fewer --jobs; run "
        "again, it goes on where it was"
    )


class _Hand:
    """One process and the line to it."""

    def __init__(self, store: Store, context: Context) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.connection, far = spawn.Pipe()
        threads = max(1, _cores() // context.jobs)
        self.process = spawn.Process(
            target=_work, args=(far, store, replace(context, on_progress=silent), threads)
        )
        self.process.start()
        far.close()


def _work(connection: Connection, store: Store, context: Context, threads: int) -> None:
    """Make one step after another, as they come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption is the starter's to handle
    die_with_the_starter()
    flush_denormals()
    keep_memory()
    use_threads(threads)

    def tell(what: str, done: int, total: int) -> None:
        connection.send(("progress", what, done, total))

    while True:
        try:
            step = connection.recv()
        except EOFError:
            return
        try:
            result = make_step(step, store, replace(context, on_progress=tell))
        except RunError as error:
            connection.send(("failed", str(error)))
        except Exception as error:  # noqa: BLE001 - told by the starter, as the run's failure
            connection.send(("failed", f"{step.label}: {type(error).__name__}: {error}"))
        else:
            connection.send(("ended", result))
