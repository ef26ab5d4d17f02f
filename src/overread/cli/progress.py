"""What goes on, on stderr: bars with time left, or plain lines without a terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rich.console
import rich.progress

__all__ = ["showing", "watching"]

QUIET_S = 30.0


def _bars(console: rich.console.Console) -> rich.progress.Progress:
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


class Watch:
    """Shows the events of a run: one line for each finished step, one bar for the current one."""

    def __init__(self, console: rich.console.Console, bars: rich.progress.Progress) -> None:
        self.console = console
        self.bars = bars
        self.task: rich.progress.TaskID | None = None
        self.what = ""
        self.where = ""
        self.began = self.spoke = time.monotonic()
        self.first = 0
        self.waiting = ""

    def __call__(self, event: object) -> None:
        """Show one event of `overread.pipeline.run`."""
        kind: str = event.kind  # type: ignore[attr-defined]
        getattr(self, f"show_{kind}")(event)

    def show_begin(self, event: object) -> None:
        """Name the step and how far the run is."""
        self.where = f"[{event.position}/{event.steps}] {event.step}"  # type: ignore[attr-defined]
        self.waiting = ""
        self._clear()
        if not self.console.is_terminal:
            self.console.print(f"{self.where} ...", markup=False, highlight=False)

    def show_progress(self, event: object) -> None:
        """Move the bar; without a terminal say something every half minute."""
        self.progress(event.what, event.done, event.total)  # type: ignore[attr-defined]

    def show_end(self, event: object) -> None:
        """Say what became of the step."""
        self._clear()
        seconds = f" in {event.seconds:.1f} s" if event.seconds else ""  # type: ignore[attr-defined]
        line = f"{self.where} {event.state}{seconds}"  # type: ignore[attr-defined]
        self.console.print(line, markup=False, highlight=False)

    def show_wait(self, event: object) -> None:
        """Say once whom the step is left to."""
        line = f"{event.step} is being made by {event.what}; waiting"  # type: ignore[attr-defined]
        if line != self.waiting:
            self.console.print(line, markup=False, highlight=False)
            self.waiting = line

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far something is."""
        now = time.monotonic()
        if what != self.what or self.task is None:
            self._clear()
            self.what, self.began, self.first, self.spoke = what, now, done, now
            title = f"{self.where} {what}".strip()
            self.task = self.bars.add_task(title, total=total, completed=done, rate="")
        speed = (done - self.first) / (now - self.began) if now > self.began else 0.0
        rate = f"{speed:.1f}/s" if speed else ""
        self.bars.update(self.task, completed=done, total=total, rate=rate)
        if not self.console.is_terminal and now - self.spoke > QUIET_S:
            left = f", about {(total - done) / speed:.0f} s left" if speed else ""
            line = f"{self.where} {what} {done}/{total} {rate}{left}"
            self.console.print(line, markup=False, highlight=False)
            self.spoke = now

    def _clear(self) -> None:
        if self.task is not None:
            self.bars.remove_task(self.task)
            self.task = None


@contextmanager
def watching() -> Iterator[Watch]:
    """Show the events of a run while the block lasts."""
    console = rich.console.Console(stderr=True)
    with _bars(console) as bars:
        yield Watch(console, bars)


@contextmanager
def showing() -> Iterator[Callable[[str, int, int], None]]:
    """Show (what, done, total) while the block lasts."""
    with watching() as watch:
        yield watch.progress
