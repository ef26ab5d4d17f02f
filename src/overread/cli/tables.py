"""Tables for people, on stdout."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from overread.cli.options import write_json

if TYPE_CHECKING:
    from overread.records import Scores

__all__ = ["show_scores", "table", "uid_end"]

LONG_UID = 14


def uid_end(uid: str) -> str:
    """Return a UID, or its end, which is what tells it from others."""
    return uid if len(uid) <= LONG_UID else f"..{uid[-LONG_UID:]}"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """Print a table; nothing when there are no rows."""
    import rich.console  # JSON needs no tables
    import rich.markup
    import rich.table

    found = rich.table.Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        found.add_column(column, overflow="fold")
    for row in rows:
        found.add_row(*(rich.markup.escape(str(cell)) for cell in row))
    if found.row_count:
        rich.console.Console().print(found)


def show_scores(scores: "Scores", *, json: bool, counts: Mapping[str, int] | None = None) -> None:
    """Print scores: as JSON by predictor and metric, with counts; or overall rows as a table."""
    if json:
        from overread.pipeline.driver import scores_json

        write_json({**scores_json(scores), **(counts or {})})
        return
    rows = [
        (row["predictor"], row["metric"], *_numbers(row), row["n"])
        for row in scores.frame.iter_rows(named=True)
        if row["target"] is None and row["slice"] is None
    ]
    table(("predictor", "metric", "value", "95 % interval", "n"), rows)


def _numbers(row: dict[str, Any]) -> tuple[str, str]:
    value = "-" if row["value"] is None else f"{row['value']:.4f}"
    interval = "-" if row["low"] is None else f"{row['low']:.4f} to {row['high']:.4f}"
    return value, interval
