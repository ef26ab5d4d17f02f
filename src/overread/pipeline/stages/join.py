"""Predictors joined to one: an ensemble, fitted out of fold where it learns anything."""

from collections.abc import Sequence

import polars as pl
import safetensors.numpy

from overread.ensembling import fit_joiner, join, join_new, lay_out
from overread.inference import EnsembleSpec
from overread.pipeline.stages.folds import load_folds
from overread.pipeline.stages.predict import load_predictions, save_predictions
from overread.pipeline.stages.read import studies_of
from overread.pipeline.step import Task
from overread.records import Predictions

__all__ = ["LEARNT", "make"]

LEARNT = "joiner.safetensors"


def make(task: Task) -> None:
    """Join as the ensemble says, and keep what it learns from all units for new studies."""
    spec: EnsembleSpec
    spec, rubric = task.step.spec
    named = spec.joiner
    name, labels = task.step.settings["predictor"], studies_of(task).labels
    tables = spec.prepared([load_predictions(task.inputs[f"predictor.{one}"]) for one in spec.of])
    oof, new = _of_role(tables, "oof"), _of_role(tables, "new")
    learnt = fit_joiner(named, lay_out(oof, rubric), labels)
    folds = load_folds(task.inputs["folds"])
    joined = [join(named, oof, labels, folds, rubric, name=name, split=spec.split)]
    if new:
        joined.append(join_new(named, new, learnt, rubric, name=name))
    if learnt:
        safetensors.numpy.save_file(dict(learnt), task.folder / LEARNT)
    save_predictions(task.folder, Predictions.concat(joined))


def _of_role(tables: Sequence[Predictions], role: str) -> list[Predictions]:
    found = [Predictions(table.frame.filter(pl.col("role") == role)) for table in tables]
    return [table for table in found if len(table)]
