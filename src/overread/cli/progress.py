"""What goes on, on stderr: bars with time left, or plain lines without a terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import rich.console
    import rich.progress

__all__ = ["showing", "watching"]

QUIET_S = 30.0


def _bars(console: "rich.console.Console") -> "rich.progress.Progress":
    import rich.progress  # most commands show no progress

    return rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(bar_width=24),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TextColumn("{task.fields[rate]}"),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TextColumn("left"),
        rich.progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@dataclass
class _Line:
    """How far one thing is: its bar, and since when."""

    title: str
    what: str
    bar: "rich.progress.TaskID"
    first: int
    began: float = field(default_factory=time.monotonic)
    spoke: float = field(default_factory=time.monotonic)


class Watch:
    """Shows the events of a run: one line for each finished step, a bar for each current one."""

    def __init__(self, console: "rich.console.Console", bars: "rich.progress.Progress") -> None:
        self.console = console
        self.bars = bars
        self.lines: dict[str, _Line] = {}
        self.where: dict[str, str] = {}
        self.waiting = ""

    def __call__(self, event: object) -> None:
        """Show one event of `overread.pipeline.run`."""
        kind: str = event.kind  # type: ignore[attr-defined]
        getattr(self, f"show_{kind}")(event)

    def show_begin(self, event: object) -> None:
        """Name the step and how far the run is."""
        step: str = event.step  # type: ignore[attr-defined]
        self.where[step] = f"[{event.position}/{event.steps}] {step}"  # type: ignore[attr-defined]
        self.waiting = ""
        if not self.console.is_terminal:
            self._say(f"{self.where[step]} ...")

    def show_progress(self, event: object) -> None:
        """Move the bar; without a terminal say something every half minute."""
        self._move(event.step, event.what, event.done, event.total)  # type: ignore[attr-defined]

    def show_end(self, event: object) -> None:
        """Say what became of the step."""
        step: str = event.step  # type: ignore[attr-defined]
        self._clear(step)
        seconds = f" in {event.seconds:.1f} s" if event.seconds else ""  # type: ignore[attr-defined]
        self._say(f"{self.where.pop(step, step)} {event.state}{seconds}")  # type: ignore[attr-defined]

    def show_wait(self, event: object) -> None:
        """Say once whom the step is left to."""
        line = f"{event.step} is being made by {event.what}; waiting"  # type: ignore[attr-defined]
        if line != self.waiting:
            self._say(line)
            self.waiting = line

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far something is that is no step."""
        self._move("", what, done, total)

    def _move(self, step: str, what: str, done: int, total: int) -> None:
        line = self.lines.get(step)
        if line is None or line.what != what:
            self._clear(step)
            title = f"{self.where.get(step, step)} {what}".strip()
            bar = self.bars.add_task(title, total=total, completed=done, rate="")
            line = self.lines[step] = _Line(title, what, bar, done)
        now = time.monotonic()
        speed = (done - line.first) / (now - line.began) if now > line.began else 0.0
        rate = f"{speed:.1f}/s" if speed else ""
        self.bars.update(line.bar, completed=done, total=total, rate=rate)
        if not self.console.is_terminal and now - line.spoke > QUIET_S:
            left = f", about {(total - done) / speed:.0f} s left" if speed else ""
            self._say(f"{line.title} {done}/{total} {rate}{left}")
            line.spoke = now

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False)

    def _clear(self, step: str) -> None:
        if line := self.lines.pop(step, None):
            self.bars.remove_task(line.bar)


@contextmanager
def watching() -> Iterator[Watch]:
    """Show the events of a run while the block lasts."""
    import rich.console

    console = rich.console.Console(stderr=True)
    with _bars(console) as bars:
        yield Watch(console, bars)


@contextmanager
def showing() -> Iterator[Callable[[str, int, int], None]]:
    """Show (what, done, total) while the block lasts."""
    with watching() as watch:
        yield watch.progress
