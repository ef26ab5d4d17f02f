"""What a member's networks make of every unit, for a network that reads them: one folder a study.

The network of a study's fold is the one whose say counts; those of other folds, which have seen its
subject, are kept beside it to compare bases by. Studies without a fold are for all networks.
"""

from pathlib import Path

from overread.inference import EmbedSpec, embed_units, save_cuts
from overread.pipeline.parts import map_parts, without
from overread.pipeline.stages.fit import networks_of_folds, units_in
from overread.pipeline.stages.folds import fold_of_studies
from overread.pipeline.stages.read import studies_of
from overread.pipeline.step import Outcome, Task
from overread.records import Study

__all__ = ["make"]


def make(task: Task) -> Outcome:
    """Embed study by study."""
    spec = EmbedSpec.model_validate(task.step.settings["embed"])
    dataset = studies_of(task)
    fold_of = fold_of_studies(task.inputs["folds"], dataset)
    networks = networks_of_folds(task)

    def work(study: Study, folder: Path) -> None:
        fold = fold_of[study.id]
        made = embed_units(
            networks,
            units_in(task, [study], None),
            [one for one in networks if fold in (None, one)],
            spec,
        )
        for kind, [cuts] in made.items():
            save_cuts(folder / kind[1:], cuts)

    return map_parts(task, without(dataset.studies, task.broken), work)
