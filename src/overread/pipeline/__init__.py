"""Recipe -> plan -> what is missing is run, each step kept under the hash of what decides it."""

from overread.pipeline.run import Event, Listener, RunError, StepResult, run_steps
from overread.pipeline.step import Context, Outcome, Stage, Step, Task
from overread.pipeline.store import Entry, Manifest, Store, StoreError
from overread.pipeline.upkeep import Difference, prune, verify, why

__all__ = [
    "Context",
    "Difference",
    "Entry",
    "Event",
    "Listener",
    "Manifest",
    "Outcome",
    "RunError",
    "Stage",
    "Step",
    "StepResult",
    "Store",
    "StoreError",
    "Task",
    "prune",
    "run_steps",
    "verify",
    "why",
]
