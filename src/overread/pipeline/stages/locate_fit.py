"""A locator's network of one fold, trained on the subjects outside the fold."""

from functools import partial

from overread.inference import LocatorSpec, locator_loss, locator_network
from overread.learning import fit
from overread.pipeline.networks import load_network
from overread.pipeline.stages.draw import load_examples, of_studies
from overread.pipeline.stages.folds import fold_of_studies
from overread.pipeline.stages.read import studies_of
from overread.pipeline.step import Task

__all__ = ["make"]


def make(task: Task) -> None:
    """Train, or go on training; the fold itself is for the curve in the log."""
    spec: LocatorSpec = task.step.spec
    fold, seed = task.step.settings["fold"], task.step.settings["seed"]
    folds = fold_of_studies(task.inputs["folds"], studies_of(task))
    examples = load_examples(task.inputs["draw"], spec)
    inside = {study for study, of in folds.items() if of == fold}
    network = locator_network(spec, seed=seed)
    if "earlier" in task.inputs:
        network = load_network(network, task.inputs["earlier"]).requires_grad_(True)
    fit(
        network,
        of_studies(examples, set(examples.studies) - inside),
        spec.fit,
        loss=partial(locator_loss, spec),
        seed=seed,
        folder=task.folder,
        validation=of_studies(examples, inside),
        on_progress=task.context.on_progress,
    )
