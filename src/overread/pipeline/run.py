"""Makes what is missing: ready steps in order, each under its lock, each kept when whole.

Two drivers may work on one store: a step that the other one holds is left to it, and taken as
"kept" when it is there. Nothing here knows what a step does.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from overread.pipeline.lock import holder, try_lock
from overread.pipeline.memory import peak_memory_mb, restart_peak
from overread.pipeline.step import Context, Outcome, Step, Task, in_order
from overread.pipeline.store import Manifest, Store, hash_files, now, write_json

__all__ = ["Event", "Listener", "RunError", "StepResult", "missing_steps", "run_steps"]

State = Literal["kept", "resumed", "made"]
CLOCK = "clock.json"
WAIT_S = 0.5


class RunError(RuntimeError):
    """A step failed; what was finished before stays."""


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


@dataclass(frozen=True)
class StepResult:
    """How a step came to be there.

    Attributes:
        step: which.
        state: "kept" (was whole), "resumed" (went on from an interrupted attempt) or "made".
        seconds: spent by this run.
        broken: {study id: why} that the step itself set aside.
        peak_memory_mb: of the process while it worked.
    """

    step: Step
    state: State
    seconds: float = 0.0
    broken: dict[str, str] = field(default_factory=dict)
    peak_memory_mb: float = 0.0


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
    """
    steps = in_order(goals)
    pending = {step.id: step for step in missing_steps(goals, store)}
    results = [StepResult(step, "kept") for step in _standing(steps, pending, store)]
    for result in results:
        store.write_log(event="kept", step=result.step.id)
    total = len(results) + len(pending)
    while pending:
        worked = False
        for step in list(pending.values()):
            if any(needed.id in pending for needed in step.inputs.values()):
                continue
            with try_lock(store.lock(step)) as mine:
                if not mine:
                    listen(Event("wait", step.label, what=holder(store.lock(step))))
                    continue
                tell = _teller(listen, step, len(results) + 1, total)
                results.append(_settle(step, store, replace(context, on_progress=tell), listen))
            del pending[step.id]
            worked = True
        if not worked:
            time.sleep(WAIT_S)
    return results


def _standing(steps: Sequence[Step], pending: dict[str, Step], store: Store) -> list[Step]:
    return [step for step in steps if step.id not in pending and store.entry(step)]


def _teller(
    listen: Listener, step: Step, position: int, total: int
) -> Callable[[str, int, int], None]:
    listen(Event("begin", step.label, position=position, steps=total))

    def tell(what: str, done: int, of: int) -> None:
        listen(Event("progress", step.label, what=what, done=done, total=of, position=position))

    return tell


def _settle(step: Step, store: Store, context: Context, listen: Listener) -> StepResult:
    """Make the step, unless another driver has made it since we looked."""
    result = StepResult(step, "kept") if store.entry(step) else _make(step, store, context)
    event = {"seconds": round(result.seconds, 3)} if result.state != "kept" else {}
    store.write_log(event=result.state, step=step.id, **event)
    listen(Event("end", step.label, state=result.state, seconds=result.seconds))
    return result


def _make(step: Step, store: Store, context: Context) -> StepResult:
    partial = store.partial(step)
    before = _seconds_before(partial)
    resumed = partial.is_dir() and any(path.name != CLOCK for path in partial.iterdir())
    partial.mkdir(parents=True, exist_ok=True)
    store.write_log(event="begin", step=step.id, resumes=resumed)
    inherited = _broken_before(step, store)
    inputs = {role: store.folder(needed) for role, needed in step.inputs.items()}
    restart_peak()
    started = time.monotonic()
    try:
        outcome = step.stage.make(Task(step, partial, inputs, inherited, context)) or Outcome()
        _refuse_when_too_many_broken(outcome, inherited, context.max_broken)
    except Exception as error:
        store.write_log(event="failed", step=step.id, why=f"{type(error).__name__}: {error}")
        raise RunError(f"{step.label}: {_line(error)}") from error
    finally:
        seconds = time.monotonic() - started
        write_json(partial / CLOCK, {"wall_s": before + seconds})
    (partial / CLOCK).unlink()
    peak = peak_memory_mb()
    store.commit(
        step, _manifest(step, {**inherited, **outcome.broken}, before + seconds, peak, partial)
    )
    state: State = "resumed" if resumed else "made"
    return StepResult(step, state, seconds, dict(outcome.broken), peak)


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return (
        text if type(error).__module__.startswith("overread") else f"{type(error).__name__}: {text}"
    )


def _refuse_when_too_many_broken(
    outcome: Outcome, inherited: dict[str, str], max_broken: float
) -> None:
    if outcome.studies is None:
        return
    total = outcome.studies + len(inherited)
    broken = {**inherited, **outcome.broken}
    if len(broken) > max_broken * total:
        study, why = next(iter(outcome.broken.items() or broken.items()))
        raise RunError(
            f"{len(broken)} of {total} studies are broken, more than the share max_broken = "
            f"{max_broken}; such as {study}: {why}"
        )


def _broken_before(step: Step, store: Store) -> dict[str, str]:
    broken: dict[str, str] = {}
    for needed in step.inputs.values():
        entry = store.entry(needed)
        if entry is None:
            raise RunError(f"{step.label}: its input {needed.label} has gone while the run went on")
        broken |= entry.manifest.broken
    return broken


def _seconds_before(partial: Path) -> float:
    try:
        return float(json.loads((partial / CLOCK).read_text())["wall_s"])
    except (OSError, ValueError, KeyError):
        return 0.0


def _manifest(
    step: Step, broken: dict[str, str], seconds: float, peak: float, partial: Path
) -> Manifest:
    return Manifest(
        stage=step.stage.name,
        version=step.stage.version,
        name=step.name,
        key=step.key,
        settings=dict(step.settings),
        inputs={
            role: {"stage": needed.stage.name, "name": needed.name, "key": needed.key}
            for role, needed in step.inputs.items()
        },
        files=hash_files(partial),
        broken=broken,
        wall_s=round(seconds, 3),
        peak_memory_mb=round(peak, 1),
        made=now(),
        overread=package_version(),
    )


def package_version() -> str:
    """Return the version of this package as installed."""
    try:
        return version("overread")
    except PackageNotFoundError:
        return "unknown"


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
