"""Makes what is missing: ready steps in order, several at a time where there is a crew for it.

Two drivers may work on one store: a step that the other one holds is left to it, and taken as
"kept" when it is there. Nothing here knows what a step does.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from overread.pipeline.crew import Crew, assemble
from overread.pipeline.making import RunError, StepResult
from overread.pipeline.step import Context, Step, in_order
from overread.pipeline.store import Store, StoreError

__all__ = [
    "Event",
    "Listener",
    "RunError",
    "StepResult",
    "missing_steps",
    "run_steps",
    "summary",
]

WAIT_S = 0.5


@dataclass(frozen=True)
class Event:
    """Something to show: a step begins, goes on, ends, or waits for another driver.

    Attributes:
        kind: "begin", "progress", "end" or "wait".
        step: the step's label, such as "fit/a.fold0".
        what, done, total: of a progress.
        state: of an end: "kept", "resumed" or "made".
        seconds: of an end.
        position, steps: the how-many-eth of how many steps.
    """

    kind: Literal["begin", "progress", "end", "wait"]
    step: str
    what: str = ""
    done: int = 0
    total: int = 0
    state: str = ""
    seconds: float = 0.0
    position: int = 0
    steps: int = 0


Listener = Callable[[Event], None]


def missing_steps(goals: Sequence[Step], store: Store) -> list[Step]:
    """Return the steps that must be made for all goals to be there, inputs first.

    The inputs of an entry that is there are not looked at: caches may be removed to save space.
    """
    missing: dict[str, Step] = {}
    seen: set[str] = set()

    def visit(step: Step) -> None:
        if step.id in seen:
            return
        seen.add(step.id)
        if store.entry(step) is None:
            for needed in step.inputs.values():
                visit(needed)
            missing[step.id] = step

    for goal in goals:
        visit(goal)
    return list(missing.values())


def run_steps(
    goals: Sequence[Step], store: Store, context: Context, *, listen: Listener
) -> list[StepResult]:
    """Make all that the goals need; return one result a step that is there.

    Raises:
        RunError: if a step fails or too many studies are broken; one line, naming the step.
        StoreError: if the store cannot be written.
    """
    _check_writable(store.root)
    steps = in_order(goals)
    pending = {step.id: step for step in missing_steps(goals, store)}
    results = [StepResult(step, "kept") for step in _standing(steps, pending, store)]
    for result in results:
        store.share(result.step)  # a push that failed is made up for
        store.write_log(event="kept", step=result.step.id)
    total = len(results) + len(pending)
    with assemble(store, context, _teller(listen)) as crew:
        while pending:
            for step in _ready(pending, crew, store, listen):
                position = total - len(pending) + len(crew.busy) + 1
                listen(Event("begin", step.label, position=position, steps=total))
                crew.start(step)
            ended = crew.ended()
            for result in ended:
                del pending[result.step.id]
                results.append(result)
                listen(Event("end", result.step.label, state=result.state, seconds=result.seconds))
            if not ended:
                time.sleep(WAIT_S)
    return results


def _check_writable(root: Path) -> None:
    """Say at once that nothing can be kept here, before there is something to lose."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        raise StoreError(
            f"{root}: a store cannot be written here ({error.strerror}); "
            "name another folder by --store"
        ) from error


def _standing(steps: Sequence[Step], pending: dict[str, Step], store: Store) -> list[Step]:
    return [step for step in steps if step.id not in pending and store.entry(step)]


def _ready(pending: dict[str, Step], crew: Crew, store: Store, listen: Listener) -> Iterator[Step]:
    """Yield the steps that can be begun now, as many as the crew takes."""
    for step in list(pending.values()):
        if crew.free < 1:
            return
        if step.id in crew.busy or any(needed.id in pending for needed in step.inputs.values()):
            continue
        if (other := store.holder(step)) is not None:
            listen(Event("wait", step.label, what=other))
            continue
        yield step


def _teller(listen: Listener) -> Callable[[Step, str, int, int], None]:
    def tell(step: Step, what: str, done: int, of: int) -> None:
        listen(Event("progress", step.label, what=what, done=done, total=of))

    return tell


def summary(results: Sequence[StepResult]) -> dict[str, Any]:
    """Return how many steps were kept, resumed and made, and the seconds spent by stage."""
    seconds: dict[str, float] = {}
    for result in results:
        stage = result.step.stage.name
        seconds[stage] = round(seconds.get(stage, 0.0) + result.seconds, 3)
    states = [result.state for result in results]
    return {
        "kept": states.count("kept"),
        "resumed": states.count("resumed"),
        "made": states.count("made"),
        "seconds": seconds,
        "peak_memory_mb": max((result.peak_memory_mb for result in results), default=0.0),
    }
