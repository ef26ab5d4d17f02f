"""Work over studies, one part a study: whole parts are kept, broken studies are set aside.

It does not know what a part holds.
"""

import itertools
import os
import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from overread.pipeline.keys import hash_json
from overread.pipeline.step import Outcome, Task
from overread.pipeline.store import sync_tree

__all__ = ["HasId", "map_parts", "part_folder", "without"]

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


class HasId(Protocol):
    """Anything with an id, such as a study."""

    @property
    def id(self) -> str:
        """Unique within the dataset."""


Item = TypeVar("Item", bound=HasId)


def part_folder(folder: Path, study: str) -> Path:
    """Return the folder of a study's part; ids that are no file names are hashed."""
    plain = PLAIN_NAME.fullmatch(study)
    return folder / "parts" / (study if plain else f"_{hash_json(study)}")


def without(studies: Iterable[Item], broken: Iterable[str]) -> list[Item]:
    """Return the studies that are not broken."""
    aside = set(broken)
    return [study for study in studies if study.id not in aside]


def map_parts(task: Task, studies: Sequence[Item], work: Callable[[Item, Path], None]) -> Outcome:
    """Let `work(study, folder)` fill one folder a study, and return the broken studies.

    A part is renamed when whole; parts that exist are not made again. A study whose work raises is
    reported and set aside: one study never stops the others.
    """
    (task.folder / "parts").mkdir(parents=True, exist_ok=True)
    _sweep(task.folder)
    todo = [study for study in studies if not part_folder(task.folder, study.id).exists()]
    done, broken = len(studies) - len(todo), {}
    task.context.on_progress("studies", done, len(studies))
    for study, why in _finished(task, todo, work):
        done += 1
        if why:
            broken[study.id] = why
        task.context.on_progress("studies", done, len(studies))
    _sweep(task.folder)  # a worker of a cluster that was killed leaves a torn part
    return Outcome(broken, len(studies))


def _sweep(folder: Path) -> None:
    """Remove the parts that somebody began who does not live any more."""
    for torn in (folder / "parts").glob(".*"):
        shutil.rmtree(torn, ignore_errors=True)


def _finished(
    task: Task, todo: Sequence[Item], work: Callable[[Item, Path], None]
) -> Iterable[tuple[Item, str | None]]:
    if task.context.spread is not None and len(todo) > 1:
        yield from task.context.spread(todo, partial(_make_part, task.folder, work=work))
        return
    if task.context.workers <= 1:
        for study in todo:
            yield study, _make_part(task.folder, study, work=work)
        return
    with ThreadPoolExecutor(task.context.workers) as pool:
        running: dict[Future[str | None], Item] = {}
        queue = iter(todo)
        while True:
            # Few at a time, so that an interruption does not wait for a long queue.
            for study in itertools.islice(queue, 2 * task.context.workers - len(running)):
                running[pool.submit(_make_part, task.folder, study, work=work)] = study
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()


def _make_part(folder: Path, study: Item, *, work: Callable[[Item, Path], None]) -> str | None:
    """Make a part in a folder of our own, and move it into place; return why it could not be.

    Where a worker was thought dead, two may make one part: the first that is through wins.
    """
    final = part_folder(folder, study.id)
    if final.exists():
        return None
    who = f"{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}"
    beside = final.with_name(f".{final.name}.{who}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        work(study, beside)
    except Exception as error:  # noqa: BLE001 - whatever ails one study, the others go on
        shutil.rmtree(beside, ignore_errors=True)
        return f"{type(error).__name__}: {error}"
    sync_tree(beside)
    try:
        beside.rename(final)
    except OSError:
        if not final.exists():
            raise
        shutil.rmtree(beside)
    return None
