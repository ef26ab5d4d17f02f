"""A member's network of one fold, trained on the subjects outside the fold."""

from collections.abc import Collection, Mapping

from torch import nn

from overread.datasets import Dataset
from overread.inference import (
    AsRead,
    MemberExamples,
    as_read,
    learn_bases,
    load_cuts,
    member_examples,
    member_loss,
    member_network,
)
from overread.learning import fit
from overread.models.sequence import EMBEDDING, LOGITS
from overread.pipeline.dataset_files import load_dataset
from overread.pipeline.networks import load_network
from overread.pipeline.parts import part_folder, without
from overread.pipeline.stages.folds import fold_of_studies
from overread.pipeline.stages.read import dataset_root, labels_to_learn, studies_of
from overread.pipeline.step import Task
from overread.records import Labels, Study

__all__ = ["examples_of", "make", "networks_of_folds", "studies_in", "units_in"]


def make(task: Task) -> None:
    """Train, or go on training; the fold itself, with true labels, is for the curve in the log."""
    member, views, rubric = task.step.spec
    fold, seed = task.step.settings["fold"], task.step.settings["seed"]
    dataset = studies_of(task)
    folds = fold_of_studies(task.inputs["folds"], dataset)
    outside = {of for of in folds.values() if of not in (fold, None)}
    learnt = studies_in(task, dataset, folds, outside)
    labels = labels_to_learn(task)
    examples = as_read(units_in(task, learnt, labels, strangers=strangers_in(task)))
    network = member_network(member, views, rubric, seed=seed)
    if member.embeds:
        learn_bases(network, examples)
    fit(
        network,
        examples,
        member.fit,
        loss=member_loss(member, rubric),
        seed=seed,
        folder=task.folder,
        validation=examples_of(task, studies_in(task, dataset, folds, {fold}), dataset.labels),
        shares=examples.shares(),
        on_progress=task.context.on_progress,
    )


def networks_of_folds(task: Task) -> dict[int, nn.Module]:
    """Return the trained networks of a member among the inputs, by fold."""
    member, views, rubric = task.step.spec
    return {
        int(role.removeprefix("fold")): load_network(
            member_network(member, views, rubric, seed=0), entry
        )
        for role, entry in task.inputs.items()
        if role.startswith("fold") and role != "folds"
    }


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
    return as_read(units_in(task, studies, labels))


def strangers_in(task: Task) -> dict[str, list[Study]]:
    """Return the studies of the external datasets among the inputs, not broken."""
    root = dataset_root(task)
    return {
        role.split(".")[1]: without(load_dataset(entry, root).studies, task.broken)
        for role, entry in task.inputs.items()
        if role.startswith("also.") and role.endswith(".read")
    }


def units_in(
    task: Task,
    studies: list[Study],
    labels: Labels | None,
    *,
    strangers: Mapping[str, list[Study]] | None = None,
) -> MemberExamples:
    """Return the units of some studies, one by one, and those of external datasets behind them."""
    member, views, rubric = task.step.spec
    cuts = {
        view: [load_cuts(part_folder(task.inputs[f"view.{view}"], one.id)) for one in studies]
        for view in member.views
    }
    for dataset, others in (strangers or {}).items():
        for view in member.views:
            entry = task.inputs[f"also.{dataset}.view.{view}"]
            cuts[view] += [load_cuts(part_folder(entry, one.id)) for one in others]
    for name in member.embeds:
        for kind in (EMBEDDING, LOGITS):
            parts = [part_folder(task.inputs[f"embed.{name}"], one.id) for one in studies]
            cuts[f"{name}{kind}"] = [load_cuts(part / kind[1:]) for part in parts]
    points = studies_of(task).keypoints if labels is not None and member.loss.slices else None
    return member_examples(member, views, rubric, cuts, labels, points=points)
