"""A member's network of one fold, trained on the subjects outside the fold."""

from collections.abc import Collection

from overread.datasets import Dataset
from overread.inference import AsRead, as_read, load_cuts, member_examples, member_network
from overread.learning import fit, grading_loss
from overread.pipeline.parts import part_folder, without
from overread.pipeline.stages.folds import fold_of_studies
from overread.pipeline.stages.read import labels_to_learn, studies_of
from overread.pipeline.step import Task
from overread.records import Labels, Study

__all__ = ["examples_of", "make", "studies_in"]


def make(task: Task) -> None:
    """Train, or go on training; the fold itself, with true labels, is for the curve in the log."""
    member, views, rubric = task.step.spec
    fold, seed = task.step.settings["fold"], task.step.settings["seed"]
    dataset = studies_of(task)
    folds = fold_of_studies(task.inputs["folds"], dataset)
    outside = {of for of in folds.values() if of not in (fold, None)}
    learnt = studies_in(task, dataset, folds, outside)
    examples = examples_of(task, learnt, labels_to_learn(task))
    fit(
        member_network(member, views, rubric, seed=seed),
        examples,
        member.fit,
        loss=grading_loss(member.loss, rubric),
        seed=seed,
        folder=task.folder,
        validation=examples_of(task, studies_in(task, dataset, folds, {fold}), dataset.labels),
        shares=examples.shares(),
        on_progress=task.context.on_progress,
    )


def studies_in(
    task: Task,
    dataset: Dataset,
    folds: dict[str, int | None],
    wanted: Collection[int | None],
) -> list[Study]:
    """Return the studies, not broken, that are held out in one of the wanted folds."""
    return [s for s in without(dataset.studies, task.broken) if folds[s.id] in wanted]


def examples_of(task: Task, studies: list[Study], labels: Labels | None) -> AsRead:
    """Return the units of some studies as the member reads them; crops stay on disk."""
    member, views, rubric = task.step.spec
    cuts = {
        view: [load_cuts(part_folder(task.inputs[f"view.{view}"], one.id)) for one in studies]
        for view in member.views
    }
    points = studies_of(task).keypoints if labels is not None and member.loss.slices else None
    return as_read(member_examples(member, views, rubric, cuts, labels, points=points))
