"""How far the final predictor can be trusted: sets of grades, referral, decisions, members."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import safetensors.numpy
from numpy.typing import NDArray

from overread.ensembling import (
    apply_sets,
    decisions_out_of_fold,
    fit_decisions,
    fit_sets,
    join,
    member_effects,
    member_verdicts,
    sets_out_of_fold,
)
from overread.inference import EnsembleSpec
from overread.pipeline.stages.folds import load_folds
from overread.pipeline.stages.predict import load_predictions
from overread.pipeline.stages.read import studies_of
from overread.pipeline.step import Task
from overread.pipeline.trust_spec import ReaderSpec, TrustSpec
from overread.records import Folds, Labels, Predictions, Rubric
from overread.reporting import ReaderBand, TrustReport
from overread.scoring import (
    better,
    decision_costs,
    evaluate,
    metric_name,
    referral_areas,
    referral_curves,
    set_coverage,
)
from overread.shelf import Named

__all__ = ["load_thresholds", "load_trust", "make"]

SETS, THRESHOLDS, ABOUT = "sets.parquet", "thresholds.safetensors", "about.json"
AGAINST = "most probable grade"


def make(task: Task) -> None:
    """Write a table for each question that the recipe asks, and what new studies are told by."""
    trust: TrustSpec
    trust, metrics, joined, rubric = task.step.spec
    labels, folds = studies_of(task).labels, load_folds(task.inputs["folds"])
    final = load_predictions(task.inputs["final"])
    oof = _out_of_fold(final)
    draws = {"bootstrap": trust.bootstrap, "seed": trust.seed}
    tables: dict[str, pl.DataFrame] = {}
    learnt: dict[str, NDArray[np.float64]] = {}
    sets = None
    if trust.sets is not None:
        learnt |= fit_sets(trust.sets, oof, labels, rubric)
        sets = sets_out_of_fold(trust.sets, oof, labels, folds, rubric)
        tables["coverage"] = set_coverage(rubric, labels, sets, by_site=True, **draws)
        new = Predictions(final.frame.filter(pl.col("role") == "new"))
        every = type(sets).concat([sets, apply_sets(trust.sets, new, learnt, rubric)])
        every.frame.sort("target", "unit").write_parquet(task.folder / SETS)
    tables["areas"] = referral_areas(rubric, labels, oof, sets, **draws)
    tables["curves"] = referral_curves(rubric, labels, oof, sets)
    if trust.decisions is not None:
        decided = decisions_out_of_fold(trust.decisions, oof, labels, folds, rubric)
        tables["costs"] = decision_costs(decided, against=AGAINST, **draws)
        learnt |= fit_decisions(trust.decisions, oof, labels, rubric)
    if learnt:
        safetensors.numpy.save_file(learnt, task.folder / THRESHOLDS)
    if trust.members and joined is not None:
        tables["effects"] = _effects(task, joined, metrics, (labels, folds, rubric))
    if trust.verdicts and joined is not None:
        tables["verdicts"] = member_verdicts(_members(task, joined), labels, folds, rubric)
    for name, table in tables.items():
        table.write_parquet(task.folder / f"{name}.parquet")
    about = {
        "nominal": trust.sets.coverage if trust.sets else None,
        "better": {metric_name(one): better(one) for one in metrics},
        "readers": [asdict(_band(one, trust, rubric, (labels, oof))) for one in trust.readers],
    }
    (task.folder / ABOUT).write_text(json.dumps(about, indent=1))


def _out_of_fold(table: Predictions) -> Predictions:
    return Predictions(table.frame.filter(pl.col("role") == "oof"))


def _effects(
    task: Task,
    joined: EnsembleSpec,
    metrics: Sequence[Named],
    ground: tuple[Labels, Folds, Rubric],
) -> pl.DataFrame:
    """Join the final ensemble again, without each of its members."""
    labels, folds, rubric = ground
    members = _members(task, joined)
    every = {str(one.frame["predictor"][0]) for one in members}

    def again(some: Sequence[Predictions]) -> Predictions:
        gone = every - {str(one.frame["predictor"][0]) for one in some}
        return join(_without(joined.joiner, gone), some, labels, folds, rubric)

    draws = {"bootstrap": task.step.spec[0].bootstrap, "seed": task.step.spec[0].seed}
    return member_effects(again, members, labels, rubric, metrics, **draws)


def _members(task: Task, joined: EnsembleSpec) -> list[Predictions]:
    """Return the members of the final ensemble as they are when joined, out of fold."""
    tables = [
        _out_of_fold(load_predictions(entry))
        for role, entry in task.inputs.items()
        if role.startswith("predictor.")
    ]
    return list(joined.prepared(tables))


def _without(joiner: Named, gone: set[str]) -> Named:
    """Return a joiner's settings, of which tables by member name those that are left only."""
    settings = {
        key: {name: item for name, item in value.items() if name not in gone}
        if isinstance(value, Mapping)
        else value
        for key, value in joiner.settings.items()
    }
    return Named.model_validate({"use": joiner.use, **settings})


def _band(
    reader: ReaderSpec, trust: TrustSpec, rubric: Rubric, tables: tuple[Labels, Predictions]
) -> ReaderBand:
    """Return a published band with the final predictor's own score beside it."""
    found = evaluate(
        rubric,
        *tables,
        [reader.metric],
        folds=None,
        bootstrap=trust.bootstrap,
        seed=trust.seed,
        floors=False,
    ).frame
    ours = found.filter(pl.col("target").is_in(reader.targets), pl.col("slice").is_null())
    rows = ours.select("predictor", "target", "value", "low", "high").drop_nulls("value")
    name = metric_name(reader.metric)
    return ReaderBand(
        reader.who, reader.source, name, reader.low, reader.high, tuple(rows.to_dicts())
    )


def load_trust(entry: Path) -> TrustReport:
    """Return what a `trust` step found."""
    about: dict[str, Any] = json.loads((entry / ABOUT).read_text())
    names = ("coverage", "areas", "curves", "costs", "effects", "verdicts")
    tables = {
        name: pl.read_parquet(path)
        for name in names
        if (path := entry / f"{name}.parquet").is_file()
    }
    readers = [ReaderBand(**one) for one in about["readers"]]
    return TrustReport(
        **tables, nominal=about["nominal"], better=about["better"], readers=tuple(readers)
    )


def load_thresholds(entry: Path) -> dict[str, NDArray[np.generic]]:
    """Return thresholds of sets, and what decisions learnt; empty where neither was asked for."""
    path = entry / THRESHOLDS
    return dict(safetensors.numpy.load_file(path)) if path.is_file() else {}
