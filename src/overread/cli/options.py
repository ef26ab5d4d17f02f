"""Options that several commands share, and how results are written."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "Data",
    "Jobs",
    "Json",
    "RecipeName",
    "StoreFolder",
    "Workers",
    "default_jobs",
    "default_workers",
    "write_json",
]

RecipeName = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe's file, or the name of one that ships.")
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="The dataset's folder; not needed where the recipe forges phantoms."
    ),
]
StoreFolder = Annotated[
    str,
    typer.Option(
        "--store",
        help="Where finished steps are kept: a folder, or a URL such as s3://bucket/runs.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, and only JSON, to stdout.")]
Workers = Annotated[
    int, typer.Option("--workers", min=0, help="Studies at a time; 0 = one for each core.")
]

Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        min=0,
        help="Steps at a time, such as folds; 0 = up to four on a CPU, one on a GPU.",
    ),
]


def default_jobs(jobs: int) -> int:
    """Return how many steps to make at a time."""
    from overread.pipeline import default_jobs as of_this_machine

    return jobs or of_this_machine()


def default_workers(workers: int) -> int:
    """Return how many studies to work on at a time."""
    return workers or len(os.sched_getaffinity(0))


def write_json(value: Any) -> None:
    """Write one JSON document to stdout."""
    json.dump(value, sys.stdout, indent=1, allow_nan=False, default=str)
    sys.stdout.write("\n")
