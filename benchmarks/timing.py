"""Time two sides of one path in turn, and say on what machine."""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Row", "compare", "machine"]


@dataclass(frozen=True)
class Row:
    """One path: median milliseconds of ours and of the other, and what the other is."""

    path: str
    unit: str
    ours_ms: float
    other: str | None = None
    other_ms: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the row with its ratio."""
        ratio = None if self.other_ms is None else self.other_ms / self.ours_ms
        return {**asdict(self), "ratio": ratio}


def compare(
    path: str,
    unit: str,
    ours: Callable[[], Any],
    other: tuple[str, Callable[[], Any]] | None = None,
    *,
    repeats: int = 7,
) -> Row:
    """Run both sides in turn, after one run that does not count; medians."""
    sides = [ours] if other is None else [ours, other[1]]
    times: list[list[float]] = [[] for _ in sides]
    for turn in range(repeats + 1):
        for side, action in enumerate(sides):
            start = time.perf_counter()
            action()
            if turn:
                times[side].append((time.perf_counter() - start) * 1e3)
    medians = [statistics.median(values) for values in times]
    if other is None:
        return Row(path, unit, medians[0])
    return Row(path, unit, medians[0], other[0], medians[1])


def machine() -> dict[str, Any]:
    """Return processor, cores and commit."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "commit": commit or None,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            names = [line.split(":", 1)[1].strip() for line in file if line[:10] == "model name"]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
