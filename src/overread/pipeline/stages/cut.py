"""Crops of every unit in one view, one folder a study."""

from pathlib import Path

from overread.imaging import ViewSpec
from overread.inference import cut_study, save_cuts, units_of
from overread.pipeline.parts import map_parts, without
from overread.pipeline.stages.decode import load_pixels
from overread.pipeline.stages.locate import load_located
from overread.pipeline.stages.read import studies_of
from overread.pipeline.step import Outcome, Task
from overread.records import Rubric, Study

__all__ = ["make"]


def make(task: Task) -> Outcome:
    """Cut study by study; a study without the series or the point gives empty crops."""
    view: ViewSpec
    rubric: Rubric
    view, rubric = task.step.spec
    located = load_located(task.inputs["around"]) if "around" in task.inputs else {}

    def work(study: Study, folder: Path) -> None:
        found = located.get(study.id)
        crops, _ = cut_study(
            view,
            load_pixels(task.inputs["decode"], study),
            {view.around: found} if view.around and found else {},
            units_of(rubric, study),
        )
        save_cuts(folder, crops)

    return map_parts(task, without(studies_of(task).studies, task.broken), work)
