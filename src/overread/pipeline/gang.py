"""A step that several processes make together, such as a training over devices and nodes.

The first process makes the step, holds its lock and writes its files. The others do the same work
beside it in folders that are thrown away; what they tell each other is the business of `learning`.
"""

import multiprocessing
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

from overread.learning.group import Group, joined
from overread.models import flush_denormals, keep_memory, use_threads
from overread.pipeline.step import Outcome, Task, silent
from overread.shelf import die_with_the_starter

__all__ = ["GangError", "make_together"]

PATIENCE_S = 300.0


class GangError(RuntimeError):
    """Processes that make a step together cannot begin, or one of them has gone."""


def make_together(task: Task) -> Outcome | None:
    """Make a step with as many processes as it needs; this one is the first of them.

    Raises:
        GangError: if it needs several machines and there is no cluster, or a process has gone.
    """
    nodes, others = task.step.needs.nodes, task.context.others
    if nodes > 1 and others is None:
        raise GangError(
            f"nodes: {nodes} asks for several machines, and there is one; name a cluster with "
            "--ray, or set nodes: 1"
        )
    address = _address() if nodes > 1 else "127.0.0.1"
    context = replace(task.context, others=None, spread=None, on_progress=silent)
    beside = partial(_at_node, replace(task, context=context), (address, _free_port(address)))
    with others(beside) if nodes > 1 and others else nullcontext():
        return beside(0, first=task)


def _at_node(
    task: Task, place: tuple[str, int], node: int, *, first: Task | None = None
) -> Outcome | None:
    """Do the work of a node: one process for each device, this one among them."""
    needs, (address, port) = task.step.needs, place
    groups = [
        Group(node * needs.devices + device, needs.processes, address, port, device)
        for device in range(needs.devices)
    ]
    with _processes(task, groups[1:]) as beside:
        try:
            return _take_part(first or task, groups[0])
        except Exception as error:
            if gone := [one for one in beside if one.exitcode]:
                raise GangError(
                    f"{gone[0].name} ended with exit code {gone[0].exitcode}, and the others "
                    "cannot go on without it; its own words stand above"
                ) from error
            raise


@contextmanager
def _processes(task: Task, groups: Sequence[Group]) -> Iterator[list[BaseProcess]]:
    """Have a process for each group while the block lasts, each with its share of the threads."""
    spawn = multiprocessing.get_context("spawn")
    with _shared_threads(len(groups) + 1) as threads:
        started: list[BaseProcess] = [
            spawn.Process(
                target=_beside,
                args=(task, group, threads),
                name=f"process {group.rank + 1} of {group.size}",
            )
            for group in groups
        ]
        try:
            for one in started:
                one.start()
            yield started
            for one in started:
                one.join(PATIENCE_S)
        finally:
            for one in started:
                one.terminate()
                one.join()


@contextmanager
def _shared_threads(processes: int) -> Iterator[int]:
    import torch

    before = torch.get_num_threads()
    share = max(1, before // processes)
    use_threads(share)
    try:
        yield share
    finally:
        use_threads(before)


def _beside(task: Task, group: Group, threads: int) -> None:
    die_with_the_starter()
    flush_denormals()
    keep_memory()
    use_threads(threads)
    _take_part(task, group)


def _take_part(task: Task, group: Group) -> Outcome | None:
    with joined(group):
        if group.first:
            return task.step.stage.make(task)
        with TemporaryDirectory(prefix="overread-") as folder:
            return task.step.stage.make(replace(task, folder=Path(folder)))


def _address() -> str:
    """Return the address of this machine as others see it; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        address: str = line.getsockname()[0]
        return address


def _free_port(address: str) -> int:
    with socket.socket() as line:
        line.bind((address, 0))
        port: int = line.getsockname()[1]
        return port
