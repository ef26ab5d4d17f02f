"""The command `overread`: which commands there are, and what becomes of errors.

Exit codes: 0 fine, 1 refused or failed with one clear line on stderr, 2 wrong usage.
"""

import functools
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any, TypeVar

import typer

from overread.cli import audit, data, demo, engines, grading, importing, recipes, store

__all__ = ["app", "main"]

Command = TypeVar("Command", bound=Callable[..., Any])
STATE = {"traceback": False}

app = typer.Typer(
    name="overread",
    help="Reads imaging studies a second time: DICOM in, calibrated grades with evidence out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def show_version(value: bool) -> None:
    """Print the version and leave."""
    if value:
        typer.echo(f"overread {version('overread')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version."),
    ] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error came from.")
    ] = False,
) -> None:
    """Reads imaging studies a second time: DICOM in, calibrated grades with evidence out."""
    STATE["traceback"] = traceback


def guarded(command: Command) -> Command:
    """Turn an error into one line on stderr and exit code 1."""

    @functools.wraps(command)
    def call(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except (typer.Exit, typer.BadParameter):
            raise
        except KeyboardInterrupt:
            typer.echo("overread: stopped; the same `run` goes on from here", err=True)
            raise typer.Exit(130) from None
        except Exception as error:
            if STATE["traceback"]:
                raise
            for line in lines_of(error):
                typer.echo(f"overread: {line}", err=True)
            raise typer.Exit(1) from None

    return call  # type: ignore[return-value]


def lines_of(error: Exception) -> list[str]:
    """Return what to say of an error: its own words where it is one of ours."""
    lines = getattr(error, "lines", None)
    if lines:
        return list(lines)
    words = " ".join(str(error).split())
    ours = type(error).__module__.startswith("overread")
    if ours or isinstance(error, FileNotFoundError | FileExistsError):
        return [words]
    return [f"{type(error).__name__}: {words} (overread --traceback ... shows where)"]


for commands in (
    data.COMMANDS,
    recipes.COMMANDS,
    grading.COMMANDS,
    engines.COMMANDS,
    importing.COMMANDS,
    demo.COMMANDS,
    audit.COMMANDS,
):
    for name, function in commands.items():
        app.command(name)(guarded(function))
shelf = typer.Typer(
    help="What the store holds, why, and whether it is whole.", no_args_is_help=True
)
for name, function in store.COMMANDS.items():
    shelf.command(name)(guarded(function))
app.add_typer(shelf, name="store")


def main() -> None:
    """Run the command line."""
    try:
        app()
    except BrokenPipeError:
        sys.exit(0)
