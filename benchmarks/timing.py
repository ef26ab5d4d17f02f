"""Time the sides of one path in turn, say what came out, and on what machine."""

import gc
import importlib.metadata
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Row", "compare", "machine", "row_of", "take_turns"]

PEERS = (
    "albumentations",
    "monai",
    "opencv-python-headless",
    "pandas",
    "pydicom",
    "pyjpegls",
    "pylibjpeg-openjpeg",
    "pylibjpeg-rle",
    "python-gdcm",
    "SimpleITK",
    "torch",
)


@dataclass(frozen=True)
class Row:
    """One path: what it costs us and what it costs the best of the others.

    Attributes:
        path: what is done, such as "decode 32 raw slices".
        unit: what one number stands for: "folder", "sample", "step".
        ours: median, in `measure`.
        other: name of the best of the others; None where there is no counterpart.
        theirs: its median.
        target: what `ratio` must reach (at most, where `limit`); None = measured for its own sake.
        measure: "ms" or "MiB".
        limit: whether the ratio is ours over theirs and must stay below the target.
        low, high: least and greatest ratio of one turn.
        cpu_ratio: the ratio in seconds of the processor, which other programs disturb less.
        others: {name: median} of everything that was tried.
        note: how correctness was checked, and why a target was missed.
    """

    path: str
    unit: str
    ours: float
    other: str | None = None
    theirs: float | None = None
    target: float | None = None
    measure: str = "ms"
    limit: bool = False
    low: float | None = None
    high: float | None = None
    cpu_ratio: float | None = None
    others: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times as fast we are; for limits, how many times as much we take."""
        if self.theirs is None:
            return None
        return self.ours / self.theirs if self.limit else self.theirs / self.ours

    @property
    def reached(self) -> bool | None:
        """Whether the target was reached; None without one."""
        if self.target is None or self.ratio is None:
            return None
        return self.ratio <= self.target if self.limit else self.ratio >= self.target

    def to_json(self) -> dict[str, Any]:
        """Return the row with its ratio."""
        return {**asdict(self), "ratio": self.ratio, "reached": self.reached}


def compare(
    path: str,
    unit: str,
    ours: Callable[[], Any],
    others: Mapping[str, Callable[[], Any]] | None = None,
    *,
    repeats: int = 7,
    per: int = 1,
    target: float | None = None,
    against: str | None = None,
    note: str = "",
) -> Row:
    """Run all sides in turn, after one turn that does not count; medians.

    Args:
        path: what is done.
        unit: what one number stands for.
        ours: our side.
        others: {name: side}; results are compared by the caller, before.
        repeats: turns that count.
        per: units in one call of a side.
        target: ratio to be reached.
        against: the side that the ratio is of; None = the fastest.
        note: for the table.
    """
    walls, works = take_turns({"": ours, **(others or {})}, repeats=repeats, per=per)
    return row_of(path, unit, walls, works=works, target=target, against=against, note=note)


def take_turns(
    sides: Mapping[str, Callable[[], Any]], *, repeats: int, per: int = 1
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return {side: milliseconds a unit of each turn}, by the wall and of the processor."""
    walls: dict[str, list[float]] = {name: [] for name in sides}
    works: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, action in sides.items():
            gc.collect()
            wall, work = time.perf_counter(), time.process_time()
            action()
            if turn:  # the first one fills caches
                walls[name].append((time.perf_counter() - wall) * 1e3 / per)
                works[name].append((time.process_time() - work) * 1e3 / per)
    return walls, works


def row_of(
    path: str,
    unit: str,
    walls: Mapping[str, Sequence[float]],
    *,
    works: Mapping[str, Sequence[float]] | None = None,
    target: float | None = None,
    against: str | None = None,
    note: str = "",
) -> Row:
    """Return the row of some turns.

    Args:
        path: what was done.
        unit: what one number stands for.
        walls: {side: milliseconds of each turn}; ours is called "".
        works: the same, of the processor.
        target: ratio to be reached.
        against: the side that the ratio is of; None = the fastest.
        note: for the table.
    """
    medians = {name: statistics.median(values) for name, values in walls.items()}
    ours = medians.pop("")
    if not medians:
        return Row(path, unit, ours, note=note)
    best = against or min(medians, key=lambda name: medians[name])
    turns = [theirs / mine for theirs, mine in zip(walls[best], walls[""], strict=True)]
    busy = {name: statistics.median(values) for name, values in (works or {}).items()}
    return Row(
        path,
        unit,
        ours,
        best,
        medians[best],
        target,
        low=min(turns),
        high=max(turns),
        cpu_ratio=busy[best] / busy[""] if busy.get("") else None,
        others=medians,
        note=note,
    )


def machine() -> dict[str, Any]:
    """Return processor, cores, load, versions and commit."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {name: version for name in PEERS if (version := _version(name))},
        "commit": _commit(),
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit, with a plus where files of the package or of the benchmarks differ."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "src", "benchmarks/*.py")
    return commit + "+" * bool(changed) if commit else None


def _git(*words: str) -> str:
    done = subprocess.run(  # noqa: S603 - words of ours
        ["git", *words],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            names = [line.split(":", 1)[1].strip() for line in file if line[:10] == "model name"]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
