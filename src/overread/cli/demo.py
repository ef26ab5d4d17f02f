"""The command that shows all of it on phantoms, in minutes, without data."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from overread.cli.options import Jobs, Json, Workers, default_jobs, default_workers, write_json
from overread.cli.progress import watching

__all__ = ["COMMANDS"]


def demo(
    *,
    output: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything.")] = Path(
        "demo"
    ),
    workers: Workers = 0,
    jobs: Jobs = 0,
    json: Json = False,
) -> None:
    """Forge studies, train on them, bundle, grade new ones, and write a page. A few minutes."""
    from overread.pipeline.demo import run_demo

    with watching() as watch:
        summary = run_demo(
            output, workers=default_workers(workers), jobs=default_jobs(jobs), listen=watch
        )
    if json:
        write_json(summary)
        return
    score, terms = summary["score"], summary["terms"]
    typer.echo(f"score on new studies: {score:.4f} (lower is better)")
    for name, value in {**terms, **summary["floors"]}.items():
        typer.echo(f"  {name}: {value:.4f}" if isinstance(value, float) else f"  {name}: {value}")
    typer.echo(f"summary: {output / 'summary.json'}")
    typer.echo(f"report of the training: {summary['report']}")
    typer.echo(f"page of graded studies: {summary['page']}")


COMMANDS: dict[str, Callable[..., None]] = {"demo": demo}
