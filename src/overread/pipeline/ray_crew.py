"""A Ray cluster makes the steps: each is a task that asks for its cores and GPUs.

Steps over studies give their parts on, a few studies a task. All machines see one store and one
data folder, under the same paths. A worker that dies costs the part it was at: its step is begun
again, goes on where it was, and is given up when workers die of it again and again.
This is the only file that knows Ray.
"""

import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    PlacementGroupSchedulingStrategy,
)

from overread.models import flush_denormals, keep_memory, use_threads
from overread.pipeline.making import RunError, StepResult, make_step, package_version
from overread.pipeline.step import Context, Step, silent
from overread.pipeline.store import Store

__all__ = ["RayCrew"]

Tell = Callable[[Step, str, int, int], None]

POLL_S = 0.5
MOST_DEATHS = 3
MOST_STUDIES = 16  # of a task
TASKS_PER_CORE = 4
_log = logging.getLogger(__name__)


@dataclass
class _Job:
    """A step that the cluster is making."""

    step: Step
    answer: Any
    place: PlacementGroup | None


class RayCrew:
    """The workers of a cluster."""

    def __init__(self, store: Store, context: Context, tell: Tell) -> None:
        self.mine = not ray.is_initialized()
        if self.mine:
            _connect(context.ray)
        data = context.data.resolve() if context.data else None
        self.store = replace(store, root=store.root.resolve())
        self.store.root.mkdir(parents=True, exist_ok=True)  # workers refuse what they cannot see
        self.context = replace(context, data=data, ray=None, on_progress=silent)
        self.tell = tell
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        self.ear = ray.remote(_Ear).options(num_cpus=0, scheduling_strategy=here).remote()
        self.work = ray.remote(_make)
        self._jobs: dict[str, _Job] = {}
        self._deaths: dict[str, int] = {}

    @property
    def busy(self) -> Mapping[str, Step]:
        """The steps being made, by id."""
        return {name: job.step for name, job in self._jobs.items()}

    @property
    def free(self) -> int:
        """How many more steps can be started: one at least, so that a cluster can grow."""
        return max(1, _resource("CPU")) - len(self._jobs)

    def start(self, step: Step) -> None:
        """Hand the step to the cluster."""
        needs, gpus = step.needs, _gpus(step)
        bundle = {"CPU": float(needs.cores * needs.devices)}
        if gpus:
            bundle["GPU"] = float(gpus * needs.devices)
        place, options = None, {}
        if needs.nodes > 1:
            place = placement_group([bundle] * needs.nodes, strategy="STRICT_SPREAD")
            options = _at(place, 0)
        context = replace(
            self.context,
            # Parts lie beside the step, in a folder that only its own machine may see.
            spread=None if self.store.remote else _Spread(),
            others=_Nodes(place, bundle) if place else None,
        )
        answer = self.work.options(
            num_cpus=bundle["CPU"],
            num_gpus=bundle.get("GPU", 0),
            max_retries=0,
            name=step.label,
            **options,
        ).remote(step, self.store, context, self.ear, package_version())
        self._jobs[step.id] = _Job(step, answer, place)

    def ended(self) -> list[StepResult]:
        """Pass on what the workers tell until one of them is through."""
        while self._jobs:
            answers = {job.answer: job for job in self._jobs.values()}
            done, _ = ray.wait(list(answers), num_returns=1, timeout=POLL_S)
            self._pass_on()
            for answer in done:
                job = answers[answer]
                self._drop(job)
                try:
                    kind, content = ray.get(answer)
                except RayError as error:
                    self._again(job.step, error)
                    continue
                return self._results(job.step, kind, content)
        return []

    def _pass_on(self) -> None:
        """Tell how far the steps are; where the ear has died with its node, nothing is told."""
        with suppress(RayError):
            for name, told in ray.get(self.ear.take.remote()).items():
                if name in self._jobs:
                    self.tell(self._jobs[name].step, *told)

    def _results(self, step: Step, kind: str, content: Any) -> list[StepResult]:
        if kind == "failed":
            raise RunError(content)
        if content is None:
            return []
        if self.store.entry(step) is None:
            raise RunError(
                f"{step.label}: a worker has finished it and it is not in {self.store.root} here; "
                "all machines must see one store under the same path"
            )
        return [replace(content, step=step)]

    def _again(self, step: Step, error: RayError) -> None:
        """Begin a step again whose worker has died.

        Raises:
            RunError: if the step failed by itself, or workers died of it too often.
        """
        why = " ".join(str(error).split())[:300]
        deaths = self._deaths[step.id] = self._deaths.get(step.id, 0) + 1
        if isinstance(error, RayTaskError) or deaths >= MOST_DEATHS:
            raise RunError(f"{step.label}: {type(error).__name__}: {why}")
        self.store.write_log(event="died", step=step.id, why=type(error).__name__)
        _log.warning("%s: its worker died (%s); begun again", step.label, type(error).__name__)
        self.start(step)

    def _drop(self, job: _Job) -> None:
        del self._jobs[job.step.id]
        if job.place is not None:
            remove_placement_group(job.place)

    def dismiss(self) -> None:
        """Stop all that goes on; what the workers were making can be resumed."""
        for job in list(self._jobs.values()):
            with suppress(RayError):
                ray.cancel(job.answer, force=True)
            self._drop(job)
        ray.kill(self.ear)
        if self.mine:
            ray.shutdown()


def _connect(address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no call that nobody asked for
    try:
        ray.init(
            address=address,
            namespace="overread",
            log_to_driver=False,
            configure_logging=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise RunError(
            f"--ray {address}: found no cluster ({why}); expected host:port of its head, such as "
            "10.0.0.5:6379, `auto` on a machine of the cluster, or `local`"
        ) from error


def _resource(name: str) -> int:
    return int(ray.cluster_resources().get(name, 0))


def _gpus(step: Step) -> int:
    """Return how many GPUs each process of a step asks for."""
    if step.needs.device == "auto":
        return int(_resource("GPU") > 0)
    return int(step.needs.device.startswith("cuda"))


def _at(place: PlacementGroup, node: int) -> dict[str, Any]:
    strategy = PlacementGroupSchedulingStrategy(place, placement_group_bundle_index=node)
    return {"scheduling_strategy": strategy}


class _Ear:
    """Hears how far the steps are, and keeps the last word of each."""

    def __init__(self) -> None:
        self.last: dict[str, tuple[str, int, int]] = {}

    def hear(self, step: str, what: str, done: int, total: int) -> None:
        self.last[step] = (what, done, total)

    def take(self) -> dict[str, tuple[str, int, int]]:
        last, self.last = self.last, {}
        return last


@dataclass
class _Voice:
    """Tells the ear how far a step is, twice a second at most."""

    ear: Any
    step: str
    spoke: float = field(default=-POLL_S)

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self.spoke >= POLL_S:
            self.spoke = now
            self.ear.hear.remote(self.step, what, done, total)


def _make(
    step: Step, store: Store, context: Context, ear: Any, version: str
) -> tuple[str, StepResult | str | None]:
    """Make a step in a worker; return what to tell the driver."""
    where = f"{step.label}: a worker on {ray.util.get_node_ip_address()}"
    if version != package_version():
        return "failed", f"{where} has overread {package_version()}, expected {version}"
    if store.remote is None and not store.root.is_dir():
        return "failed", f"{where} sees no folder {store.root}; all machines must see one store"
    _prepare(step.needs.cores * step.needs.devices)
    try:
        told = replace(context, on_progress=_Voice(ear, step.id))
        return "ended", make_step(step, store, told)
    except RunError as error:
        return "failed", str(error)


def _prepare(threads: int) -> None:
    flush_denormals()
    keep_memory()
    use_threads(threads)


@dataclass(frozen=True)
class _Spread:
    """Gives the studies of a step to the workers of the cluster, a few to each."""

    def __call__(
        self, items: Sequence[Any], work: Callable[[Any], str | None]
    ) -> Iterator[tuple[Any, str | None]]:
        cores = max(1, _resource("CPU"))
        size = max(1, min(MOST_STUDIES, len(items) // (TASKS_PER_CORE * cores)))
        chunks = iter([items[i : i + size] for i in range(0, len(items), size)])
        shared = ray.put(work)
        # A worker that dies has its studies done by another one; finished parts are kept.
        task = ray.remote(_do).options(num_cpus=1, max_retries=MOST_DEATHS)
        waiting: dict[Any, Sequence[Any]] = {}
        while True:
            for chunk in itertools.islice(chunks, TASKS_PER_CORE * cores - len(waiting)):
                waiting[task.remote(shared, chunk)] = chunk
            if not waiting:
                return
            done, _ = ray.wait(list(waiting), num_returns=1)
            for answer in done:
                yield from zip(waiting.pop(answer), ray.get(answer), strict=True)


def _do(work: Callable[[Any], str | None], items: Sequence[Any]) -> list[str | None]:
    _prepare(1)
    return [work(item) for item in items]


@dataclass(frozen=True)
class _Nodes:
    """Reaches the other nodes of a step."""

    place: PlacementGroup
    bundle: Mapping[str, float]

    @contextmanager
    def __call__(self, work: Callable[[int], object]) -> Iterator[None]:
        answers = [
            ray.remote(_at_node)
            .options(
                num_cpus=self.bundle["CPU"],
                num_gpus=self.bundle.get("GPU", 0),
                max_retries=0,
                **_at(self.place, node),
            )
            .remote(partial(work, node), int(self.bundle["CPU"]))
            for node in range(1, self.place.bundle_count)
        ]
        try:
            yield
            ray.get(answers)
        finally:
            for answer in answers:
                ray.cancel(answer, force=True)


def _at_node(work: Callable[[], object], threads: int) -> None:
    _prepare(threads)
    work()
