"""Overread: the second reading of imaging studies, and the workshop that trains it.

The names below are loaded when they are first used, so that `import overread` stays fast.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overread.imaging import read_studies
    from overread.inference.bundle import Bundle
    from overread.inference.grade import grade
    from overread.pipeline.driver import Ran, run
    from overread.pipeline.plan import Plan, plan
    from overread.pipeline.recipe import Recipe, read_recipe

__all__ = ["Bundle", "Plan", "Ran", "Recipe", "grade", "plan", "read_recipe", "read_studies", "run"]

ROOMS = {
    "Bundle": "inference",
    "Plan": "pipeline",
    "Ran": "pipeline",
    "Recipe": "pipeline",
    "grade": "inference",
    "plan": "pipeline",
    "read_recipe": "pipeline",
    "read_studies": "imaging",
    "run": "pipeline",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its room."""
    if name not in ROOMS:
        raise AttributeError(f"module overread has no {name}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"overread.{ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
