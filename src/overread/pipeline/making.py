"""One step is made: under its lock, from finished inputs, kept when whole.

A step that somebody else holds is left to them; one that is there already is taken as it is.
Nothing here knows what a step does.
"""

import json
import time
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from overread.pipeline.gang import make_together
from overread.pipeline.lock import LEASE_S, is_mine
from overread.pipeline.memory import peak_memory_mb, restart_peak
from overread.pipeline.step import Context, Outcome, Step, Task
from overread.pipeline.store import Manifest, Store, hash_files, now, write_json

__all__ = ["RunError", "StepResult", "make_step", "package_version"]

State = Literal["kept", "resumed", "made"]
CLOCK = "clock.json"


class RunError(RuntimeError):
    """A step failed; what was finished before stays."""


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


def make_step(step: Step, store: Store, context: Context) -> StepResult | None:
    """Make a step whose inputs are there; None = somebody else is making it.

    Raises:
        RunError: if it fails or too many studies are broken; one line, naming the step.
    """
    with store.hold(step) as mine:
        if not mine:
            return None
        # Another driver may have made it since we looked.
        result = StepResult(step, "kept") if store.entry(step) else _make(step, store, context)
        event = {"seconds": round(result.seconds, 3)} if result.state != "kept" else {}
        store.write_log(event=result.state, step=step.id, **event)
        return result


def _make(step: Step, store: Store, context: Context) -> StepResult:
    partial = store.partial(step)
    before = _seconds_before(partial)
    resumed = partial.is_dir() and any(path.name != CLOCK for path in partial.iterdir())
    partial.mkdir(parents=True, exist_ok=True)
    store.write_log(event="begin", step=step.id, resumes=resumed)
    inherited = _broken_before(step, store)
    inputs = {role: store.bring(needed) for role, needed in step.inputs.items()}
    restart_peak()
    started = time.monotonic()
    try:
        task = Task(step, partial, inputs, inherited, context)
        make = make_together if step.needs.processes > 1 else step.stage.make
        outcome = make(task) or Outcome()
        _refuse_when_too_many_broken(outcome, inherited, context.max_broken)
    except Exception as error:
        store.write_log(event="failed", step=step.id, why=f"{type(error).__name__}: {error}")
        raise RunError(f"{step.label}: {_line(error)}") from error
    finally:
        seconds = time.monotonic() - started
        write_json(partial / CLOCK, {"wall_s": before + seconds})
    (partial / CLOCK).unlink()
    peak = peak_memory_mb()
    if not is_mine(store.lock(step)):
        raise RunError(
            f"{step.label}: nothing was heard of this machine for {LEASE_S:.0f} s, and another one "
            "has taken the step over; run again, it goes on where the other one is"
        )
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
