"""Commands that use a bundle: grade new studies, join tables of new studies."""

import json as plain_json
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from overread.cli.options import write_json
from overread.cli.progress import showing
from overread.cli.tables import table, uid_end

if TYPE_CHECKING:
    from overread.inference import Bundle, Grades

__all__ = ["COMMANDS"]

KINDS = (".json", ".csv", ".parquet", ".html")
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
    from overread.inference import GradeSpec
    from overread.inference import grade as grade_studies

    if output is not None and output.suffix not in KINDS:
        raise typer.BadParameter(f'found "{output.suffix}", expected one of {", ".join(KINDS)}')
    loaded = _open(bundle, engine, trusted or [])
    if output is not None:
        _make_room(output)
    spec = GradeSpec(pictures=output is not None and output.suffix == ".html")
    with showing() as on_progress:
        grades = grade_studies(loaded, path, spec=spec, on_progress=on_progress)
    _tell(grades)
    if output is not None and grades.studies:
        _write(grades, output)
    if json:
        write_json(grades.to_json())
    elif output is None:
        _show(grades)
    if not grades.studies:
        raise FileNotFoundError(
            f"found no study in {path}; expected the images of a study, or a folder of studies"
        )
    if all(study.refused is not None for study in grades.studies):
        raise typer.Exit(1)


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


def _tell(grades: "Grades") -> None:
    """Say on stderr what is wrong with files that belong to no study, and who was refused."""
    for finding in grades.findings[:MOST_FINDINGS]:
        typer.echo(f"{finding.severity}: {finding.message}", err=True)
    if len(grades.findings) > MOST_FINDINGS:
        more = len(grades.findings) - MOST_FINDINGS
        typer.echo(f"and {more} more findings; --json has all", err=True)
    for study in grades.studies:
        if study.refused is not None:
            typer.echo(f"refused: {study.refused}", err=True)


def _write(grades: "Grades", output: Path) -> None:
    if output.suffix == ".json":
        output.write_text(plain_json.dumps(grades.to_json(), indent=1), encoding="utf-8")
    elif output.suffix == ".csv":
        grades.to_frame().write_csv(output)
    elif output.suffix == ".parquet":
        grades.to_frame().write_parquet(output)
    else:
        from overread.pipeline.pages import write_grades_page

        write_grades_page(grades, output)
    typer.echo(f"{len(grades.studies)} studies in {output}", err=True)


def _show(grades: "Grades") -> None:
    rows = [
        (
            uid_end(row["study"]),
            row["site"] or "-",
            row["target"],
            row["grade"],
            f"{row['confidence']:.2f}",
        )
        for row in grades.to_frame().iter_rows(named=True)
    ]
    table(("study", "site", "target", "grade", "sure"), rows)


COMMANDS: dict[str, Callable[..., None]] = {"grade": grade, "join": join}
