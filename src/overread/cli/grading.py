"""The command that grades new studies with a bundle."""

import json as plain_json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from overread.cli.options import write_json
from overread.cli.progress import showing
from overread.cli.tables import table

if TYPE_CHECKING:
    from overread.inference import Grades

__all__ = ["COMMANDS"]

KINDS = (".json", ".csv", ".parquet", ".html")


def grade(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    path: Annotated[Path, typer.Argument(help="A study, or a folder of studies.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .json, .csv, .parquet or .html file; else stdout."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON to stdout.")] = False,
    trusted: Annotated[
        list[str] | None,
        typer.Option("--trust", help="A package outside overread that the bundle may name."),
    ] = None,
) -> None:
    """Grade one study or every study in a folder. A study that is refused says why."""
    from overread.inference import Bundle, GradeSpec
    from overread.inference import grade as grade_studies

    if output is not None and output.suffix not in KINDS:
        raise typer.BadParameter(f'found "{output.suffix}", expected one of {", ".join(KINDS)}')
    loaded = Bundle.load(bundle, trusted=trusted or [])
    spec = GradeSpec(pictures=output is not None and output.suffix == ".html")
    with showing() as on_progress:
        grades = grade_studies(loaded, path, spec=spec, on_progress=on_progress)
    if output is not None:
        _write(grades, output)
    if json:
        write_json(grades.to_json())
    elif output is None:
        _show(grades)
    for study in grades.studies:
        if study.refused is not None:
            typer.echo(f"refused: {study.refused}", err=True)
    if grades.studies and all(study.refused is not None for study in grades.studies):
        raise typer.Exit(1)


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
        (row["study"], row["site"] or "-", row["target"], row["grade"], f"{row['confidence']:.2f}")
        for row in grades.to_frame().iter_rows(named=True)
    ]
    table(("study", "site", "target", "grade", "sure"), rows)


COMMANDS: dict[str, Callable[..., None]] = {"grade": grade}
