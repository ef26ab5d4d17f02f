"""Nouns of the step graph: a stage says how, a step says of what, a task is a step being made.

Nothing here knows of recipes or of the store; a step's key follows from its settings and inputs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from overread.pipeline.keys import hash_json

__all__ = [
    "Context",
    "Later",
    "Needs",
    "Others",
    "Outcome",
    "Progress",
    "Spread",
    "Stage",
    "Step",
    "Task",
    "in_order",
]

Progress = Callable[[str, int, int], None]
Spread = Callable[[Sequence[Any], Callable[[Any], str | None]], Iterator[tuple[Any, str | None]]]
"""Does work(item) for many items somewhere else, and yields (item, what it returned)."""
Others = Callable[[Callable[[int], object]], AbstractContextManager[None]]
"""Calls work(1), work(2)... on the other nodes of a step while a block lasts."""


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Context:
    """What a stage may use without it being part of the result.

    Attributes:
        data: folder of the dataset; None when the studies are forged.
        workers: how many studies are worked on at a time.
        jobs: how many steps are made at a time; more than one, and each has a process of its own.
        max_broken: share of broken studies above which a run is refused.
        ray: address of the Ray cluster that makes the steps; None = this machine does.
        spread: does the parts of a step on several machines; None = all in its own process.
        others: reaches the other nodes of a step that needs several.
        on_progress: told (what, done, total) while a step is being made.
    """

    data: Path | None = None
    workers: int = 1
    jobs: int = 1
    max_broken: float = 0.1
    ray: str | None = None
    spread: Spread | None = None
    others: Others | None = None
    on_progress: Progress = silent


@dataclass(frozen=True)
class Outcome:
    """What a stage tells besides its files.

    Attributes:
        broken: {study id: why} of studies that were set aside.
        studies: how many studies there were to work on; None for stages not over studies.
    """

    broken: Mapping[str, str] = field(default_factory=dict)
    studies: int | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """A step being made.

    Attributes:
        step: what is made.
        folder: where its files go; holds what an earlier, interrupted attempt left.
        inputs: folders of the finished inputs, by their role.
        broken: {study id: why} that earlier steps have set aside.
        context: data folder, workers, progress.
    """

    step: "Step"
    folder: Path
    inputs: Mapping[str, Path]
    broken: Mapping[str, str]
    context: Context


@dataclass(frozen=True)
class Stage:
    """A kind of work.

    Attributes:
        name: such as "cut"; the folder in the store.
        version: raised when the code changes its result.
        make: fills `task.folder`.
        cache: its entries are remade only when something else needs them.
    """

    name: str
    version: int
    make: Callable[[Task], Outcome | None]
    cache: bool = False


@dataclass(frozen=True)
class Later:
    """The work of a stage whose file is opened when the work is done, so that plans are quick.

    Attributes:
        stage: name of the file in `overread.pipeline.stages`.
    """

    stage: str

    def __call__(self, task: Task) -> Outcome | None:
        """Do the work."""
        module = import_module(f"overread.pipeline.stages.{self.stage}")
        outcome: Outcome | None = module.make(task)
        return outcome


@dataclass(frozen=True)
class Needs:
    """What a step asks of a cluster, and over how many processes it is spread; never in its key.

    Attributes:
        cores: of each process; as many threads.
        device: "cpu", "cuda", or "auto" (a GPU where there is one).
        devices: processes on a node, a GPU each where there are GPUs.
        nodes: machines.
    """

    cores: int = 1
    device: str = "cpu"
    devices: int = 1
    nodes: int = 1

    @property
    def processes(self) -> int:
        """How many processes make the step together."""
        return self.devices * self.nodes


@dataclass(frozen=True, eq=False)
class Step:
    """One entry of the store, made or to be made.

    Attributes:
        stage: the kind of work.
        name: such as "exp16.fold0".
        settings: plain JSON that decides the result.
        inputs: the steps it reads, by role.
        spec: the live settings for the stage, speed knobs included; not part of the key.
        totals: what the step adds to the plan's counts, such as {"fold_trainings": 1}.
        needs: cores, GPUs and nodes.
    """

    stage: Stage
    name: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, "Step"] = field(default_factory=dict)
    spec: Any = None
    totals: Mapping[str, int] = field(default_factory=dict)
    needs: Needs = Needs()

    @cached_property
    def key(self) -> str:
        """The hash of stage, version, settings and input keys; the name is only for people."""
        return hash_json(
            {
                "stage": self.stage.name,
                "version": self.stage.version,
                "settings": self.settings,
                "inputs": {role: step.key for role, step in self.inputs.items()},
            }
        )

    @property
    def label(self) -> str:
        """Stage and name, such as "fit/exp16.fold0"."""
        return f"{self.stage.name}/{self.name}"

    @property
    def id(self) -> str:
        """Where the entry lies in the store: "fit/exp16.fold0-0123456789abcdef"."""
        return f"{self.label}-{self.key}"


def in_order(goals: Iterable[Step]) -> tuple[Step, ...]:
    """Return the goals and all that they need, inputs first, each once (by id)."""
    found: dict[str, Step] = {}

    def visit(step: Step) -> None:
        if step.id not in found:
            for needed in step.inputs.values():
                visit(needed)
            found.setdefault(step.id, step)

    for goal in goals:
        visit(goal)
    return tuple(found.values())
