"""Phantoms in the layout of a dataset, forged into the store when a recipe asks for them."""

import shutil
from typing import Any

from overread.pipeline.step import Task
from overread.shelf import take

__all__ = ["STUDIES", "make"]

STUDIES = "studies"


def make(task: Task) -> None:
    """Forge all studies; an interrupted attempt begins anew."""
    settings: dict[str, Any] = dict(task.step.settings)
    module = take("overread.datasets", settings.pop("dataset"))
    settings.pop("files", None)
    if settings.get("photos"):
        settings["photos"] = task.context.data
    folder = task.folder / STUDIES
    shutil.rmtree(folder, ignore_errors=True)
    module.forge(folder, **settings, on_progress=task.context.on_progress)
