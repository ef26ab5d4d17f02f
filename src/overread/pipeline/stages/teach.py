"""What a teacher's network of one fold says of the studies that it may have learnt from.

None of these studies is of a subject of the fold, so that what is learnt from the answers is still
blind to the fold.
"""

from overread.inference import member_network, member_predictions, predict_member
from overread.pipeline.networks import load_network
from overread.pipeline.parts import without
from overread.pipeline.stages.fit import examples_of, studies_in
from overread.pipeline.stages.folds import fold_of_studies
from overread.pipeline.stages.predict import save_predictions, units_of
from overread.pipeline.stages.read import studies_of
from overread.pipeline.step import Task

__all__ = ["make"]


def make(task: Task) -> None:
    """Predict the studies outside the fold, or all of an external dataset."""
    member, views, rubric = task.step.spec
    fold, dataset = task.step.settings["fold"], studies_of(task)
    if "folds" in task.inputs:
        folds = fold_of_studies(task.inputs["folds"], dataset)
        outside = {of for of in folds.values() if of not in (fold, None)}
        studies = studies_in(task, dataset, folds, outside)
    else:
        studies = without(dataset.studies, task.broken)
    network = load_network(member_network(member, views, rubric, seed=0), task.inputs["network"])
    examples = examples_of(task, studies, None)
    answers = predict_member([network], examples, on_progress=task.context.on_progress)
    said = member_predictions(
        answers,
        units_of(examples, studies),
        predictor=task.step.settings["predictor"],
        role="new",
        fold=fold,
    )
    save_predictions(task.folder, said)
