"""The command that asks whether data, split and labels are to be trusted."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from overread.cli.options import Data, Json, StoreFolder, write_json
from overread.cli.progress import showing
from overread.cli.tables import table

if TYPE_CHECKING:
    from overread.auditing import AuditSpec, Review, Tables
    from overread.pipeline.audit_pages import Show

__all__ = ["COMMANDS"]

STORE = "store"
KINDS = (".json", ".csv", ".html")
TABLES = (".csv", ".gz", ".parquet")
MOST_SHOWN = 20


def audit(  # noqa: PLR0913 - a command has as many options as it needs
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE|TABLE...",
            help="A recipe whose run is finished, or tables of out-of-fold predictions.",
        ),
    ],
    *,
    dataset: Annotated[
        str | None, typer.Option(help="Whose layout the tables have, such as rsna2024_lumbar.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="The table of grades.")] = None,
    folds: Annotated[Path | None, typer.Option(help="The fold of each study or row.")] = None,
    points: Annotated[Path | None, typer.Option(help="The table of marked points.")] = None,
    member: Annotated[
        list[Path] | None,
        typer.Option(help="A table that the predictions were joined from; may be repeated."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Images: to look for copies, and to show points.")
    ] = None,
    data: Data = None,
    store: StoreFolder = STORE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .html, .csv or .json file.")
    ] = None,
    ranking: Annotated[
        Path | None, typer.Option(help="A .csv file: all studies, ranked, also by question.")
    ] = None,
    json: Json = False,
) -> None:
    """Say whether splits, labels, points and predictions can be believed, and what to look at.

    Exit code 1 when something is refused, such as predictions that have seen the labels.
    """
    from overread.auditing import AuditSpec, rank_studies
    from overread.auditing import audit as make_audit

    _check_place(output, KINDS)
    _check_place(ranking, (".csv",))
    spec = AuditSpec()
    paths = [Path(one) for one in what]
    seen = None
    if all(path.is_file() and path.suffix in TABLES for path in paths):
        tables = _tables(paths, dataset, labels, (folds, points, images, member or ()), spec)
    elif len(what) == 1 and paths[0].suffix not in TABLES:
        tables, seen = _run(what[0], data, store)
        images = images or (data / "train_images" if data else None)
    else:
        lost = next((path for path in paths if not path.is_file()), paths[0])
        raise FileNotFoundError(f"{lost}: found no such table; name tables, or one recipe")
    review = make_audit(tables, spec=spec)
    if ranking is not None:
        rank_studies(review).write_csv(ranking)
    _tell(review, output, (images, seen), json=json)
    if review.refused:
        raise typer.Exit(1)


def _check_place(file: Path | None, kinds: tuple[str, ...]) -> None:
    if file is None:
        return
    if file.suffix not in kinds:
        raise typer.BadParameter(f'found "{file.suffix}", expected one of {", ".join(kinds)}')
    if not file.parent.is_dir():
        raise FileNotFoundError(f"{file.parent}: found no such folder, expected one to write to")


def _tables(
    paths: list[Path],
    dataset: str | None,
    labels: Path | None,
    more: tuple[Path | None, Path | None, Path | None, "tuple[()] | list[Path]"],
    spec: "AuditSpec",
) -> "Tables":
    from dataclasses import replace

    from overread.cli.data import SHORT
    from overread.pipeline.audits import AuditFiles, pictures_of, tables_of_files

    if dataset is None or labels is None:
        raise typer.BadParameter("a table needs --dataset and --labels")
    folds, points, images, members = more
    name = SHORT.get(dataset, dataset)
    files = AuditFiles(name, paths, labels, folds, points, members, images)
    tables = tables_of_files(files)
    if images is None:
        return tables
    with showing() as on_progress:
        pictures = pictures_of(name, images, tables=tables, spec=spec, on_progress=on_progress)
    return replace(tables, pictures=pictures)


def _run(recipe: str, data: Path | None, store: str) -> "tuple[Tables, Show]":
    from overread.pipeline import find_recipe, read_recipe
    from overread.pipeline.audit_pages import crops_of_run
    from overread.pipeline.audits import tables_of_run

    found = read_recipe(find_recipe(recipe))
    tables = tables_of_run(found, data, store)
    return tables, crops_of_run(found, data, store, tables.labels)


def _tell(
    review: "Review",
    output: Path | None,
    pictures: "tuple[Path | None, Show | None]",
    *,
    json: bool,
) -> None:
    for one in review.refused:
        typer.echo(f"refused: {one.reason}", err=True)
    if output is not None:
        from overread.pipeline.audit_pages import either, thumbnails, write_review

        images, seen = pictures
        shows = [] if images is None or not images.is_dir() else [thumbnails(images)]
        picture = either(*shows, *([seen] if seen else []))
        write_review(review, output, title="Audit", picture=picture)
        typer.echo(f"{len(review.suspicions)} suspicions in {output}", err=True)
    if json:
        write_json(review.to_json())
        return
    table(("check", "of what"), review.checks.items())
    rows = [
        (rank, one.kind, one.study or "-", one.target or "-", one.site or "-", one.reason)
        for rank, one in enumerate(review.suspicions[:MOST_SHOWN], 1)
    ]
    table(("rank", "kind", "study", "target", "site", "why"), rows)
    if len(review.suspicions) > MOST_SHOWN:
        left = len(review.suspicions) - MOST_SHOWN
        typer.echo(f"and {left} more; -o writes all to .html, .csv or .json")


COMMANDS: dict[str, Callable[..., None]] = {"audit": audit}
