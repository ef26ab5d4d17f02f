"""Commands about the store: ls, why, prune, verify."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from overread.cli.options import Data, Json, StoreFolder, write_json
from overread.cli.tables import table

__all__ = ["COMMANDS"]

STORE = "store"


def ls(*, store: StoreFolder = STORE, json: Json = False) -> None:
    """List finished steps: when made, how long it took, how large they are."""
    from overread.pipeline import Store

    rows = []
    for entry in Store.existing(store).entries():
        if entry.unreadable:
            typer.echo(f"skipped: {entry.faults(content=False)[0]}", err=True)
            continue
        known = entry.manifest
        size = sum(file["bytes"] for file in known.files.values())
        rows.append(
            {
                "stage": known.stage,
                "name": known.name,
                "key": known.key,
                "made": known.made,
                "seconds": known.wall_s,
                "peak_memory_mb": known.peak_memory_mb,
                "bytes": size,
                "broken": len(known.broken),
            }
        )
    if json:
        write_json(rows)
        return
    shown = [
        (
            f"{row['stage']}/{row['name']}",
            row["key"],
            row["made"][:16].replace("T", " "),
            f"{row['seconds']:.1f}",
            f"{row['bytes'] / 1e6:.1f}",
            str(row["broken"] or ""),
        )
        for row in rows
    ]
    table(("step", "key", "made (UTC)", "s", "MB", "broken"), shown)


def why(
    step: Annotated[str, typer.Argument(help="Stage and name, such as fit/exp16.fold0.")],
    *,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="Explain the step as this recipe plans it.")
    ] = None,
    data: Data = None,
    store: StoreFolder = STORE,
    json: Json = False,
) -> None:
    """Print which setting made a step new, against the nearest entry of the same name."""
    from overread.pipeline import Store, find_recipe, graph_of, open_store, read_recipe
    from overread.pipeline import why as explain

    graph = graph_of(read_recipe(find_recipe(recipe)), data, store) if recipe else None
    planned = graph.goals if graph else ()
    kept = open_store(store) if recipe else Store.existing(store)
    title, found = explain(kept, step, planned)
    if json:
        rows = [{"step": d.step, "path": d.path, "old": d.old, "new": d.new} for d in found]
        write_json({"compared": title, "differences": rows})
        return
    typer.echo(title)
    for difference in found:
        typer.echo(f"  {difference}")


def prune(
    *,
    keep: Annotated[
        list[Path], typer.Option("--keep", help="Recipes whose steps stay; may be repeated.")
    ],
    store: StoreFolder = STORE,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[RECIPE]...", help="Further recipes to keep.")
    ] = None,
    json: Json = False,
) -> None:
    """Remove what no kept recipe reaches, for any data that the store has read.

    What a running process works on stays.
    """
    from overread.pipeline import Store, graphs_in_store, read_recipe
    from overread.pipeline import prune as remove

    found = Store.existing(store)
    recipes = [read_recipe(path) for path in (*keep, *(more or ()))]
    graphs = [graph for recipe in recipes for graph in graphs_in_store(recipe, found)]
    kept = [goal for graph in graphs for goal in graph.goals]
    removed = [str(path) for path in remove(found, kept, dry=dry)]
    if json:
        write_json({"removed": removed, "dry_run": dry})
        return
    for path in removed:
        typer.echo(path)
    typer.echo(f"{len(removed)} {'would be ' if dry else ''}removed")


def verify(*, store: StoreFolder = STORE, json: Json = False) -> None:
    """Read every file of every entry again and name those that changed."""
    from overread.pipeline import Store
    from overread.pipeline import verify as check

    count, faults = check(Store.existing(store))
    if json:
        write_json({"entries": count, "faults": faults})
    else:
        for fault in faults:
            typer.echo(fault, err=True)
        typer.echo(f"{count} entries, {len(faults)} faults")
    if faults:
        raise typer.Exit(1)


COMMANDS: dict[str, Callable[..., None]] = {"ls": ls, "why": why, "prune": prune, "verify": verify}
