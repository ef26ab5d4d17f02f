"""The log of a fit: log.jsonl, one event a line, always; trackers where they are asked for."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from overread.learning.spec import FitSpec
from overread.learning.trackers import Follower, follow

__all__ = ["FitLog", "read_log"]


class FitLog:
    """Appends events to log.jsonl and passes numbers on to trackers.

    Events: "begin" or "resume" (where, and how much was skipped), "step", "validation", "end".
    """

    def __init__(self, folder: Path, spec: FitSpec) -> None:
        path = folder / "log.jsonl"
        torn = path.exists() and path.stat().st_size > 0 and _last_byte(path) != b"\n"
        self.followers: Sequence[Follower] = [follow(name, folder) for name in spec.track]
        self.file = path.open("a", encoding="utf-8")
        if torn:
            self.file.write("\n")  # a killed process left half a line

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file and the trackers."""
        self.file.close()
        for follower in self.followers:
            follower.close()

    def write(self, event: str, **values: Any) -> None:
        """Write one event with the time of day."""
        record = {"event": event, "time": round(time.time(), 3), **values}
        self.file.write(json.dumps(record) + "\n")
        self.file.flush()

    def numbers(self, event: str, step: int, numbers: dict[str, float], **values: Any) -> None:
        """Write an event with numbers that trackers draw against the step."""
        self.write(event, step=step, **values, **numbers)
        for follower in self.followers:
            follower.numbers(step, {f"{event}/{name}": value for name, value in numbers.items()})


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Return the events of a fit's log; lines torn by a kill are passed over."""
    events = []
    path = folder / "log.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return events


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)
