"""The rows of a run as a table, and the table in the README."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["table_of", "write_table"]

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- table: written by `python -m benchmarks --write` -->", "<!-- end of table -->"
HEAD = (
    "| path | ours | beside | theirs | ratio | turns | must be | reached |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
)


def table_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows in Markdown."""
    return "\n".join([*HEAD, *map(_line, rows)])


def _line(row: Mapping[str, Any]) -> str:
    measure = row["measure"]
    theirs = "" if row["theirs"] is None else _number(row["theirs"], measure)
    ratio = "" if row["ratio"] is None else f"**{row['ratio']:.2f}**"
    spread = "" if row["low"] is None else f"{row['low']:.2f} - {row['high']:.2f}"
    sign = "<=" if row["limit"] else ">="
    target = "" if row["target"] is None else f"{sign} {row['target']:g}"
    reached = {None: "", True: "yes", False: "**no**"}[row["reached"]]
    cells = [row["path"], f"{_number(row['ours'], measure)} a {row['unit']}", row["other"] or ""]
    return f"| {' | '.join([*cells, theirs, ratio, spread, target, reached])} |"


def _number(value: float, measure: str) -> str:
    if measure == "ms" and value >= 1e4:
        return f"{value / 1e3:.1f} s"
    return f"{value:.3g} {measure}" if value < 1e3 else f"{value:.0f} {measure}"


def write_table(rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    """Put the table, the machine and the notes between the marks of the README."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    machine = (
        f"{about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB, "
        f"Python {about['python']}, commit {about['commit']}, load {about['load_before']} before."
    )
    notes = dict.fromkeys(f"* {row['path']}: {row['note']}." for row in rows if row["note"])
    parts = [BEGIN, table_of(rows), "", machine, f"{versions}.", "", *notes, "", END]
    README.write_text(before + "\n".join(parts) + after, encoding="utf-8")
