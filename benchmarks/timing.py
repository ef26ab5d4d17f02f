"""Time the sides of one path in turn, say what came out, on what machine, and where time goes."""

import cProfile
import gc
import importlib.metadata
import os
import platform
import pstats
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

__all__ = [
    "Row",
    "because",
    "compare",
    "explained",
    "machine",
    "profile_of",
    "row_of",
    "take_turns",
]

TOLD = 7  # parts of a profile

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
        iqr, theirs_iqr: between the quartiles of the turns, in `measure`.
        cpu_ratio: the ratio in seconds of the processor, which other programs disturb less.
        others: {name: median} of everything that was tried.
        note: how correctness was checked.
        why: the reason, where the target was missed.
        profile: where our time goes, where the target was missed.
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
    iqr: float | None = None
    theirs_iqr: float | None = None
    cpu_ratio: float | None = None
    others: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    why: str = ""
    profile: str = ""

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

    Where the target is missed, ours is run once more under a profiler.

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
    row = row_of(path, unit, walls, works=works, target=target, against=against, note=note)
    return explained(row, ours)


def explained(row: Row, ours: Callable[[], Any]) -> Row:
    """Return a row that missed its target with a profile of our side; others as they are."""
    return replace(row, profile=profile_of(ours)) if row.reached is False else row


def because(row: Row, why: str) -> Row:
    """Return a row that missed its target with the reason; others as they are."""
    return replace(row, why=why) if row.reached is False else row


def profile_of(action: Callable[[], Any]) -> str:
    """Run an action and tell in which functions its time goes, without those that they call."""
    profiler = cProfile.Profile()
    profiler.runcall(action)
    parts: dict[str, float] = {}
    for (path, _, name), (_, _, seconds, _, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        known = _function(path, name)
        parts[known] = parts.get(known, 0.0) + seconds
    whole = sum(parts.values()) or 1.0
    largest = sorted(parts, key=lambda one: -parts[one])[:TOLD]
    return ", ".join(f"{one} {parts[one] / whole:.0%}" for one in largest)


def _function(path: str, name: str) -> str:
    """Return the short name of a function, such as "grid_sampler" or "blurs._add_up"."""
    if path == "~":
        words = name.strip("<>{}").removeprefix("built-in method ").removeprefix("method ")
        return words.partition(" of ")[0].strip("'").rpartition(".")[2]
    return f"{Path(path).stem}.{name.strip('<>')}"


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
    spreads = {name: _between_quartiles(values) for name, values in walls.items()}
    ours = medians.pop("")
    if not medians:
        return Row(path, unit, ours, iqr=spreads[""], note=note)
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
        iqr=spreads[""],
        theirs_iqr=spreads[best],
        cpu_ratio=busy[best] / busy[""] if busy.get("") else None,
        others=medians,
        note=note,
    )


def _between_quartiles(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return high - low


def machine() -> dict[str, Any]:
    """Return time, processor, cores, load, versions and commit."""
    return {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
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
