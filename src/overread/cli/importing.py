"""The command that turns checkpoints of a published system into a bundle."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from overread.cli.options import Json, write_json

__all__ = ["COMMANDS"]


def import_weights(
    system: Annotated[str, typer.Argument(help="Such as lumbar_3rd_place.")],
    folder: Annotated[Path, typer.Argument(help="Holds the checkpoints, at any depth.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder for the bundle.")],
    member: Annotated[
        list[str] | None, typer.Option("--member", help="Import this member alone; repeatable.")
    ] = None,
    as_published: Annotated[
        bool, typer.Option("--as-published", help="Keep what looks like slips of the original.")
    ] = False,
    json: Json = False,
) -> None:
    """Convert the checkpoints of a published system to a bundle; no code in them is run."""
    from overread.inference.importing import import_weights as convert

    settings: dict[str, Any] = {"members": tuple(member)} if member else {}
    if as_published:
        settings["as_published"] = True
    digest = convert(system, folder, output, **settings)
    if json:
        write_json({"bundle": str(output), "hash": digest})
    else:
        typer.echo(f"bundle {output} ({digest[:12]})")


COMMANDS: dict[str, Callable[..., None]] = {"import-weights": import_weights}
