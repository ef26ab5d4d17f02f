"""Commands that use a bundle: grade new studies, join tables of new studies."""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overread.cli.progress import showing
from overread.cli.tables import table, uid_end

if TYPE_CHECKING:
    from overread.inference import Bundle, Grades
    from overread.pipeline.grade_files import GradesFile
    from overread.records import Finding

__all__ = ["COMMANDS"]

MOST_FINDINGS = 20


class Engine(StrEnum):
    """How the networks of a bundle are run."""

    auto = "auto"
    eager = "eager"


Trusted = Annotated[
    list[str] | None,
    typer.Option("--trust", help="A package outside overread that the bundle may name."),
]


def grade(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    path: Annotated[Path, typer.Argument(help="A study, or a folder of studies.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .json, .csv, .parquet or .html file; else stdout."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON to stdout.")] = False,
    engine: Annotated[
        Engine, typer.Option(help="auto = as `tune` measured on this host; eager = as trained.")
    ] = Engine.auto,
    trusted: Trusted = None,
) -> None:
    """Grade one study or every study in a folder. A study that is refused says why."""
    from overread.inference import GradeSpec, grade_parts
    from overread.pipeline.grade_files import KINDS, GradesFile, JsonText

    if output is not None and output.suffix not in KINDS:
        raise typer.BadParameter(f'found "{output.suffix}", expected one of {", ".join(KINDS)}')
    loaded = _open(bundle, engine, trusted or [])
    if output is not None:
        _make_room(output)
    spec = GradeSpec(pictures=output is not None and output.suffix == ".html")
    told = _Told(rows=[] if output is None and not json else None)
    text = JsonText(sys.stdout) if json else None
    file = GradesFile(output) if output is not None else None
    with ExitStack() as opened:
        if file is not None:
            opened.callback(_say_kept, file)
            opened.enter_context(file)
        on_progress = opened.enter_context(showing())
        for part in grade_parts(loaded, path, spec=spec, on_progress=on_progress):
            for place in (told, file, text):
                if place is not None:
                    place.add(part)
    if text is not None:
        text.end()
    told.say(output)
    if not told.num_studies:
        raise FileNotFoundError(
            f"found no study in {path}; expected the images of a study, or a folder of studies"
        )
    if told.num_studies == len(told.refused):
        raise typer.Exit(1)


def _say_kept(file: "GradesFile") -> None:
    """Say where the grades of a batch are that was broken off."""
    if file.num_studies and file.part.exists():
        typer.echo(f"broken off: {file.num_studies} studies are in {file.part}", err=True)


@dataclass
class _Told:
    """What is said of a batch when it is over.

    Attributes:
        rows: for people to read; None = not wanted.
        num_studies: that were found.
        refused: why, for each study that was.
        findings: the first about files of no study.
        num_findings: of them all.
    """

    rows: list[dict[str, Any]] | None
    num_studies: int = 0
    refused: list[str] = field(default_factory=list)
    findings: list["Finding"] = field(default_factory=list)
    num_findings: int = 0

    def add(self, grades: "Grades") -> None:
        """Note what is said of the next studies."""
        self.num_studies += len(grades.studies)
        self.refused += [one.refused for one in grades.studies if one.refused is not None]
        self.num_findings += len(grades.findings)
        self.findings += grades.findings[: MOST_FINDINGS - len(self.findings)]
        if self.rows is not None:
            self.rows += grades.to_frame().iter_rows(named=True)

    def say(self, output: Path | None) -> None:
        """Say on stderr what is wrong, and on stdout the rows."""
        for finding in self.findings:
            typer.echo(f"{finding.severity}: {finding.message}", err=True)
        if self.num_findings > len(self.findings):
            more = self.num_findings - len(self.findings)
            typer.echo(f"and {more} more findings; --json has all", err=True)
        for reason in self.refused:
            typer.echo(f"refused: {reason}", err=True)
        if output is not None and self.num_studies:
            typer.echo(f"{self.num_studies} studies in {output}", err=True)
        if self.rows is not None:
            _show(self.rows)


def join(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle whose members are tables.")],
    tables: Annotated[
        list[str],
        typer.Argument(
            metavar="TABLE...",
            help="One table of each member: MEMBER=FILE, or a FILE that is called like it.",
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .csv or .parquet file; else stdout."),
    ] = None,
    trusted: Trusted = None,
) -> None:
    """Join tables of new studies, made by other networks, as a bundle says."""
    from overread.inference import Bundle, join_tables, tables_by_member

    if output is not None and output.suffix not in (".csv", ".parquet"):
        raise typer.BadParameter(f'found "{output.suffix}", expected .csv or .parquet')
    loaded = Bundle.load(bundle, trusted=trusted or [])
    if output is not None:
        _make_room(output)
    joined = join_tables(loaded, tables_by_member(loaded, tables))
    if output is None:
        typer.echo(joined.write_csv(), nl=False)
        return
    joined.write_csv(output) if output.suffix == ".csv" else joined.write_parquet(output)
    typer.echo(f"{len(joined)} rows in {output}", err=True)


def _open(folder: Path, engine: Engine, trusted: list[str]) -> "Bundle":
    """Return a bundle; as it was tuned for this host, where it was and that is wanted."""
    from overread.inference import Bundle

    if engine is Engine.auto:
        from overread.inference.engines import cached_bundle

        tuned = cached_bundle(folder, trusted=trusted)
        if tuned is not None:
            typer.echo("graded as `tune` found fastest on this host", err=True)
            return tuned
    return Bundle.load(folder, trusted=trusted)


def _make_room(output: Path) -> None:
    """Make the folder of the output, so that nothing is graded in vain."""
    if output.is_dir():
        raise FileExistsError(f"{output}: found a folder, expected a file to write to")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileNotFoundError(
            f"{output.parent}: cannot be made ({error.strerror}), expected a folder to write to"
        ) from error
    if not os.access(output.parent, os.W_OK):
        raise FileNotFoundError(f"{output.parent}: found a folder that may not be written to")


def _show(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            uid_end(row["study"]),
            row["site"] or "-",
            row["target"],
            row["grade"],
            f"{row['confidence']:.2f}",
        )
        for row in found
    ]
    table(("study", "site", "target", "grade", "sure"), rows)


COMMANDS: dict[str, Callable[..., None]] = {"grade": grade, "join": join}
