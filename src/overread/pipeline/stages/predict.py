"""What a member says of every unit: out of fold, by the networks that have not seen its subject."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from overread.inference import (
    AsRead,
    member_predictions,
    predict_member,
)
from overread.pipeline.stages.fit import examples_of, networks_of_folds, studies_in
from overread.pipeline.stages.folds import fold_of_studies
from overread.pipeline.stages.read import studies_of
from overread.pipeline.step import Task
from overread.records import Predictions, Study

__all__ = ["load_predictions", "make", "save_predictions", "units_of"]

PREDICTIONS = "predictions.parquet"


def make(task: Task) -> None:
    """Predict fold by fold; studies without a fold by the networks for new studies ("new").

    A fold without a network gets no answer.
    """
    dataset = studies_of(task)
    of_study = fold_of_studies(task.inputs["folds"], dataset)
    networks = networks_of_folds(task)
    asked = set(task.step.settings.get("new", networks))
    tables = []
    for fold in (*networks, None):
        studies = studies_in(task, dataset, of_study, {fold})
        if not studies:
            continue
        examples = examples_of(task, studies, None)
        probabilities = predict_member(
            [networks[k] for k in networks if k in asked] if fold is None else [networks[fold]],
            examples,
            on_progress=task.context.on_progress,
        )
        tables.append(
            member_predictions(
                probabilities,
                units_of(examples, studies),
                predictor=task.step.settings["predictor"],
                role="new" if fold is None else "oof",
                fold=fold,
            )
        )
    save_predictions(task.folder, Predictions.concat(tables))


def units_of(examples: AsRead, studies: Sequence[Study]) -> pl.DataFrame:
    """Return the table of units: unit, study, subject, site, in the order of the examples."""
    cuts = examples.cuts[examples.member.inputs[0]]
    rows = [
        (
            cuts[study].units[unit],
            studies[study].id,
            studies[study].subject,
            cuts[study].sites[unit],
        )
        for study, unit in examples.rows
    ]
    schema = dict.fromkeys(("unit", "study", "subject", "site"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def save_predictions(folder: Path, predictions: Predictions) -> None:
    """Write predictions in an order of their own, so that equal content gives equal bytes."""
    frame = predictions.frame.sort("predictor", "target", "unit")
    frame.write_parquet(folder / PREDICTIONS)


def load_predictions(entry: Path) -> Predictions:
    """Return the predictions of a `predict` or `join` step."""
    return Predictions(pl.read_parquet(entry / PREDICTIONS))
