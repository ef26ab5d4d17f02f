"""Boosted trees on what the members say of a unit and around it, after vector scaling.

Trees start from the vector-scaled mean of the members and add to its logits; how many are grown is
chosen for each condition on inner folds, so that none is a possible answer. Both sides of a
condition share the trees. What is learnt is plain arrays: LightGBM is needed to fit, not to apply.
Ke et al., LightGBM, NeurIPS 2017.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread import shelf
from overread.ensembling.conditions import conditions
from overread.ensembling.context import Around
from overread.ensembling.features import Features, tables_of
from overread.ensembling.samples import Sample, cuts, samples_of
from overread.ensembling.sheets import Book, Parameters, Truths
from overread.ensembling.softmax import fit_softmax, log_softmax
from overread.ensembling.trees import answer, plant

__all__ = ["Spec", "apply", "fit"]

Floats = NDArray[np.float64]
MISSING = -99.0  # below all log odds, so that a tree can tell what is not answered


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        weighted: fit to the loss with the rubric's weights; else every unit weighs 1.
        around: kinds of context, see `linear_stack`.
        members: look at how each member differs from their mean.
        by_site: look at the site.
        rounds: most rounds; a round grows a tree for each grade.
        rate: how much of a tree is added.
        leaves: of a tree.
        fewest_in_leaf: units.
        columns: share of the features that a tree may look at.
        rows: share of the units that a tree is grown on.
        ridge: L2 penalty of LightGBM on leaf values.
        scaling_ridge: how strongly the scaling is drawn to the mean of the members.
        inner: inner folds for the number of rounds.
        seed: of the inner folds and of the draws of features and units.
        fewest: a condition with fewer graded units stays as the mean is.
        floor: probabilities below count as this.
    """

    weighted: bool = True
    around: tuple[Around, ...] = ("side", "conditions", "neighbours", "study")
    members: bool = True
    by_site: bool = True
    rounds: int = Field(default=80, ge=1)
    rate: float = Field(default=0.04, gt=0)
    leaves: int = Field(default=6, ge=2)
    fewest_in_leaf: int = Field(default=100, ge=1)
    columns: float = Field(default=0.4, gt=0, le=1)
    rows: float = Field(default=0.7, gt=0, le=1)
    ridge: float = Field(default=10.0, ge=0)
    scaling_ridge: float = Field(default=1e-4, ge=0)
    inner: int = Field(default=3, ge=2)
    seed: int = 0
    fewest: int = Field(default=20, ge=1)
    floor: float = Field(default=1e-6, gt=0, lt=0.5)

    def features(self) -> Features:
        """Return what is looked at."""
        return Features(
            around=self.around, members=self.members, by_site=self.by_site, floor=self.floor
        )


def fit(spec: Spec, book: Book, truths: Truths) -> Parameters:
    """Return for each condition the scaling and the trees."""
    learnt: dict[str, Floats] = {}
    samples = samples_of(
        spec.features(), book, truths, weighted=spec.weighted, inner=spec.inner, seed=spec.seed
    )
    for name, sample in samples.items():
        if len(sample.parts) < spec.fewest:
            continue
        rounds = _choose(spec, sample)
        matrix = _scaling(spec, sample)
        learnt[f"matrix.{name}"] = matrix
        if rounds:
            learnt[f"trees.{name}"], _ = _boost(spec, _scaled(sample, matrix), rounds, None)
    return learnt


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, grades)}; conditions that were not learnt stay as the mean is."""
    joined = {}
    tables = tables_of(spec.features(), book)
    for name, sheets in conditions(book).items():
        for sheet in sheets:
            table = tables[sheet.target.name]
            logits = table.logs
            if f"matrix.{name}" in learnt:
                logits = logits + _with_one(logits) @ learnt[f"matrix.{name}"]
            if f"trees.{name}" in learnt:
                features = _filled(table.features)
                logits = logits + answer(learnt[f"trees.{name}"], features, logits.shape[1])
            joined[sheet.target.name] = np.exp(log_softmax(logits))
    return joined


def _choose(spec: Spec, sample: Sample) -> int:
    """Return the number of rounds, from none, that gives the smallest loss on the inner folds."""
    total = np.zeros(spec.rounds + 1)
    for outside, inside in cuts(sample):
        matrix = _scaling(spec, outside)
        learn, held = _scaled(outside, matrix), _scaled(inside, matrix)
        _, curve = _boost(spec, learn, spec.rounds, held)
        total += curve * held.parts.sum()
    return int(total.argmin())


def _scaling(spec: Spec, sample: Sample) -> Floats:
    """Return the matrix of vector scaling, as `vector` learns it."""
    grades = sample.logs.shape[1]
    entries = np.where(np.eye(grades, dtype=bool), spec.scaling_ridge, np.inf)
    penalty = np.concatenate([entries, np.full((1, grades), spec.scaling_ridge)])
    return fit_softmax(_with_one(sample.logs), sample.logs, sample.parts, penalty)


def _scaled(sample: Sample, matrix: Floats) -> Sample:
    return replace(sample, logs=sample.logs + _with_one(sample.logs) @ matrix)


def _with_one(logs: Floats) -> Floats:
    return np.concatenate([logs, np.ones((len(logs), 1))], axis=1)


def _filled(features: Floats) -> Floats:
    return np.nan_to_num(features, nan=MISSING)


def _boost(spec: Spec, sample: Sample, rounds: int, tries: Sample | None) -> tuple[Floats, Floats]:
    """Return trees, and the loss of `tries` after 0, 1, ... rounds."""
    import lightgbm

    data = _dataset(sample)
    curve: dict[str, Any] = {}
    watched = [] if tries is None else [_dataset(tries, data)]
    callbacks = [lightgbm.record_evaluation(curve)] if tries is not None else []
    booster = lightgbm.train(
        _parameters(spec, sample.parts.shape[1]),
        data,
        num_boost_round=rounds,
        valid_sets=watched,
        valid_names=["rest"] * len(watched),
        callbacks=callbacks,
    )
    trees = plant(booster.dump_model()["tree_info"])
    if tries is None:
        return trees, np.zeros(0)
    start = -(tries.parts * log_softmax(tries.logs)).sum() / tries.parts.sum()
    losses = np.array([start, *curve["rest"]["multi_logloss"]])
    # Boosting ends early when no split is left: what follows is as the last.
    return trees, np.pad(losses, (0, rounds + 1 - len(losses)), mode="edge")


def _dataset(sample: Sample, reference: Any = None) -> Any:
    """Return the units for LightGBM; a soft truth counts as its most probable grade."""
    import lightgbm

    return lightgbm.Dataset(
        _filled(sample.features),
        sample.parts.argmax(axis=1),
        weight=sample.parts.sum(axis=1),
        init_score=sample.logs,
        reference=reference,
        free_raw_data=False,
    )


def _parameters(spec: Spec, grades: int) -> dict[str, Any]:
    return {
        "objective": "multiclass",
        "num_class": grades,
        "metric": "multi_logloss",
        "boost_from_average": False,
        "learning_rate": spec.rate,
        "num_leaves": spec.leaves,
        "min_data_in_leaf": spec.fewest_in_leaf,
        "feature_fraction": spec.columns,
        "bagging_fraction": spec.rows,
        "bagging_freq": 1,
        "lambda_l2": spec.ridge,
        "seed": spec.seed,
        # One thread and no choice of algorithm by timing: the same trees everywhere, every time.
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
