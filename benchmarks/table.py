"""The rows of a run as a table, and the table in the README."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["table_of", "write_table"]

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- table: written by `python -m benchmarks --write` -->", "<!-- end of table -->"
HEAD = (
    "| path | ours | beside | theirs | ratio | turns | of the processor | must be | reached |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
)


def table_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows in Markdown."""
    return "\n".join([*HEAD, *map(_line, rows)])


def _line(row: Mapping[str, Any]) -> str:
    measure = row["measure"]
    theirs = "" if row["theirs"] is None else _number(row["theirs"], measure)
    theirs += _spread(row["theirs_iqr"], measure)
    work = "" if row["cpu_ratio"] is None else f"{row['cpu_ratio']:.2f}"
    ratio = "" if row["ratio"] is None else f"**{row['ratio']:.2f}**"
    spread = "" if row["low"] is None else f"{row['low']:.2f} - {row['high']:.2f}"
    sign = "<=" if row["limit"] else ">="
    target = "" if row["target"] is None else f"{sign} {row['target']:g}"
    reached = {None: "", True: "yes", False: "**no**"}[row["reached"]]
    ours = f"{_number(row['ours'], measure)} a {row['unit']}{_spread(row['iqr'], measure)}"
    cells = [row["path"], ours, row["other"] or "", theirs, ratio, spread, work, target, reached]
    return f"| {' | '.join(cells)} |"


def _spread(iqr: float | None, measure: str) -> str:
    """Return the range between the quartiles in brackets."""
    return f" ({_number(iqr, measure)})" if iqr else ""


def _number(value: float, measure: str) -> str:
    if measure == "ms" and value >= 1e4:
        return f"{value / 1e3:.1f} s"
    return f"{value:.3g} {measure}" if value < 1e3 else f"{value:.0f} {measure}"


def write_table(
    rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any], failed: Mapping[str, str]
) -> None:
    """Put the table, the machine and the notes between the marks of the README."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    machine = (
        f"{about['when']}, {about['processor']}, {about['cores']} cores, "
        f"{about['memory_gib']} GiB, Python {about['python']}, commit {about['commit']}, "
        f"load {about['load_before']} before."
    )
    parts = [BEGIN, table_of(rows), "", machine, f"{versions}.", "", *_notes(rows, failed), "", END]
    README.write_text(before + "\n".join(parts) + after, encoding="utf-8")


def _notes(rows: Sequence[Mapping[str, Any]], failed: Mapping[str, str]) -> list[str]:
    """Return what was checked, what was missed and why, and what failed; each once."""
    told = [f"* {row['path']}: {row['note']}." for row in rows if row["note"]]
    for row in rows:
        if row["reached"] is False:
            why = f" {row['why']}." if row["why"] else ""
            profile = f" Our time: {row['profile']}." if row["profile"] else ""
            told.append(f"* Not reached: {row['path']} beside {row['other']}.{why}{profile}")
    told += [f"* The script `{name}` failed: {words}" for name, words in failed.items()]
    return list(dict.fromkeys(told))
