"""What people read in the end: the scores, the points, and a page."""

import json
from typing import Any

from overread.pipeline.stages.score import load_scores
from overread.pipeline.step import Stage, Task

__all__ = ["STAGE"]


def make(task: Task) -> None:
    """Write summary.json."""
    summary: dict[str, Any] = {
        "recipe": task.step.settings["recipe"],
        "final": task.step.settings["final"],
        "scores": load_scores(task.inputs["score"]).frame.to_dicts(),
        "points": {
            role.removeprefix("points."): json.loads((entry / "summary.json").read_text())
            for role, entry in task.inputs.items()
            if role.startswith("points.")
        },
    }
    (task.folder / "summary.json").write_text(json.dumps(summary, indent=1))


STAGE = Stage("report", 1, make)
