"""Boosted trees on what the members say of a slice and of the slices around it, label by label.

Each target has trees of its own (both sides share them), which see the blend's answer for the slice
and, for so many slices to either side, the blend's and each member's answers. Source: the 3rd place
of RSNA 2019 ("user stacking": 401 features, LightGBM). How many trees are grown is chosen on inner
folds of subjects. What is learnt is plain arrays: LightGBM is needed to fit, not to apply.

Legend: n slices, G grades.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread import shelf
from overread.ensembling.conditions import conditions
from overread.ensembling.inner import inner_folds
from overread.ensembling.neighbours import NeighbourRows, scan_order
from overread.ensembling.sheets import Book, Parameters, Sheet, Truths
from overread.ensembling.softmax import log_softmax
from overread.ensembling.trees import answer, plant
from overread.ensembling.weighing import member_weights

__all__ = ["Spec", "apply", "fit"]

Floats = NDArray[np.float64]
MISSING = -1.0  # below all probabilities: trees can tell where the scan has ended
PIECE = 65_536  # slices at once when trees answer


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        weights: {member: weight} in the blend; members that are not named weigh 1.
        reach: slices to either side that are looked at.
        start: trees add to the log odds of the "blend", or, as published, of the "prior".
        rounds: most trees.
        patience: trees without a better loss on the inner folds before growing ends.
        rate: how much of a tree is added.
        leaves: of a tree.
        depth: of a tree.
        fewest_in_leaf: slices.
        columns: share of the features that a tree may look at.
        rows: share of the slices that a tree is grown on.
        lasso: L1 penalty on leaf values.
        ridge: L2 penalty on leaf values.
        gain: least that a split must gain.
        inner: inner folds for the number of trees.
        seed: of the inner folds, and of the draws of features and slices.
        fewest: a target with fewer graded slices, or of one grade only, stays as the blend is.
        threads: of LightGBM; the trees are the same for every number.
        floor: probabilities are held at least this far from 0 and 1.
    """

    weights: Mapping[str, float] = {}
    reach: int = Field(default=20, ge=0)
    start: Literal["blend", "prior"] = "blend"
    rounds: int = Field(default=5000, ge=1)
    patience: int = Field(default=100, ge=1)
    rate: float = Field(default=0.02, gt=0)
    leaves: int = Field(default=15, ge=2)
    depth: int = Field(default=7, ge=1)
    fewest_in_leaf: int = Field(default=20, ge=1)
    columns: float = Field(default=0.8, gt=0, le=1)
    rows: float = Field(default=0.9, gt=0, le=1)
    lasso: float = Field(default=0.1, ge=0)
    ridge: float = Field(default=0.1, ge=0)
    gain: float = Field(default=0.02, ge=0)
    inner: int = Field(default=3, ge=2)
    seed: int = 0
    fewest: int = Field(default=50, ge=1)
    threads: int = Field(default=1, ge=1)
    floor: float = Field(default=1e-6, gt=0, lt=0.5)

    @classmethod
    def speed(cls) -> frozenset[str]:
        """Return the fields that leave the result alone."""
        return frozenset({"threads"})


def fit(spec: Spec, book: Book, truths: Truths) -> Parameters:
    """Return for each condition its "trees.<name>", and the log "prior.<name>" (G,)."""
    learnt: dict[str, Floats] = {}
    fold_of = inner_folds(book, count=spec.inner, seed=spec.seed)
    for name, sheets in conditions(book).items():
        known = [np.asarray(np.isfinite(truths[one.target.name]).all(axis=1)) for one in sheets]
        pairs = list(zip(sheets, known, strict=True))
        grades = np.concatenate([truths[one.target.name][keep].argmax(1) for one, keep in pairs])
        counts = np.bincount(grades, minlength=len(sheets[0].target.grades))
        if len(grades) < spec.fewest or (counts > 0).sum() < 2:
            continue
        prior = np.log(np.maximum(counts, 0.5) / counts.sum())
        fold = [
            fold_of[who] for one, keep in pairs for who in one.units["subject"].to_numpy()[keep]
        ]
        sample = Sample(
            np.concatenate([_features(spec, one, keep) for one, keep in pairs]),
            grades,
            np.concatenate([_start(spec, one, prior)[keep] for one, keep in pairs]),
        )
        rounds = _choose(spec, sample, np.array(fold))
        booster = _grow(spec, sample, rounds, None)
        learnt[f"prior.{name}"] = prior
        learnt[f"trees.{name}"] = plant(booster.dump_model()["tree_info"])
    return learnt


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, G)}; targets that were not learnt stay as the blend is."""
    joined = {}
    for name, sheets in conditions(book).items():
        for sheet in sheets:
            if f"prior.{name}" not in learnt:
                joined[sheet.target.name] = _blend(spec, sheet)
                continue
            logits = _start(spec, sheet, learnt[f"prior.{name}"])
            logits += _grown(spec, sheet, learnt[f"trees.{name}"])
            joined[sheet.target.name] = np.exp(log_softmax(logits))
    return joined


@dataclass(frozen=True, eq=False)
class Sample:
    """Graded slices of one condition.

    Attributes:
        features: (n, 1 + 2 * reach * streams).
        grades: (n,) true grade.
        start: (n, G) logits to add to.
    """

    features: NDArray[np.float32]
    grades: NDArray[np.int64]
    start: Floats

    def take(self, keep: NDArray[np.bool_]) -> "Sample":
        """Return some of them."""
        return Sample(self.features[keep], self.grades[keep], self.start[keep])

    def dataset(self, reference: Any = None) -> Any:
        """Return the slices for LightGBM; of two grades only the second has a score."""
        import lightgbm

        binary = self.start.shape[1] == 2
        score = self.start[:, 1] - self.start[:, 0] if binary else self.start
        return lightgbm.Dataset(self.features, self.grades, init_score=score, reference=reference)


def _blend(spec: Spec, sheet: Sheet) -> Floats:
    """Return (n, G) the weighted mean of the members, kept from 0 and 1."""
    weights = {name: spec.weights.get(name, 1.0) for name in sheet.members}
    shares = member_weights(weights, sheet)
    mean = np.einsum("mn,mng->ng", shares, np.nan_to_num(sheet.probabilities))
    held = np.clip(mean, spec.floor, 1 - spec.floor)
    return np.asarray(held / held.sum(axis=1, keepdims=True))


def _start(spec: Spec, sheet: Sheet, prior: Floats) -> Floats:
    if spec.start == "prior":
        return np.tile(prior, (len(sheet.units), 1))
    return np.asarray(np.log(_blend(spec, sheet)))


def _rows_of(spec: Spec, sheet: Sheet) -> tuple[NeighbourRows, NDArray[np.int64]]:
    """Return the rows in the order of scans, and where each row of the sheet stands among them."""
    order, scan = scan_order(sheet.units)
    streams = np.concatenate([_blend(spec, sheet)[None], sheet.probabilities])[:, :, 1:]
    values = streams.transpose(1, 0, 2).reshape(len(order), -1)
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return NeighbourRows(values[order].astype(np.float32), scan, spec.reach), back


def _features(spec: Spec, sheet: Sheet, known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (known, 1 + 2 * reach * streams)."""
    rows, back = _rows_of(spec, sheet)
    made = rows.rows(0, len(rows))
    np.nan_to_num(made, copy=False, nan=MISSING)
    return np.asarray(made[back[known]])


def _grown(spec: Spec, sheet: Sheet, trees: Floats) -> Floats:
    """Return (n, G) what the trees add, piece by piece; nothing to the first of two grades."""
    rows, back = _rows_of(spec, sheet)
    grades = len(sheet.target.grades)
    first = 1 if grades == 2 else 0
    sums = np.zeros((len(rows), grades))
    for start in range(0, len(rows), PIECE):
        stop = min(start + PIECE, len(rows))
        made = np.nan_to_num(rows.rows(start, stop), nan=MISSING).astype(np.float64)
        sums[start:stop, first:] = answer(trees, made, grades - first)
    return sums[back]


def _choose(spec: Spec, sample: Sample, fold: NDArray[np.int64]) -> int:
    """Return the number of rounds, at least one, with the smallest loss over all inner folds."""
    curves, units = [], []
    for inside in (fold == number for number in range(spec.inner)):
        if not inside.any() or len(np.unique(sample.grades[~inside])) < 2:
            continue
        curve: dict[str, Any] = {}
        _grow(spec, sample.take(~inside), spec.rounds, (sample.take(inside), curve))
        curves.append(next(iter(curve["held"].values())))
        units.append(int(inside.sum()))
    if not curves:
        return 1
    longest = max(len(curve) for curve in curves)
    # A curve that ended had found nothing better for long: what follows is as its last.
    total = sum(
        count * np.pad(curve, (0, longest - len(curve)), mode="edge")
        for curve, count in zip(curves, units, strict=True)
    )
    return int(np.argmin(total)) + 1


def _grow(
    spec: Spec, sample: Sample, rounds: int, watched: tuple[Sample, dict[str, Any]] | None
) -> Any:
    import lightgbm

    data = sample.dataset()
    settings: dict[str, Any] = {}
    if watched is not None:
        held, curve = watched
        settings = {
            "valid_sets": [held.dataset(data)],
            "valid_names": ["held"],
            "callbacks": [
                lightgbm.record_evaluation(curve),
                lightgbm.early_stopping(spec.patience, verbose=False),
            ],
        }
    parameters = _parameters(spec, sample.start.shape[1])
    return lightgbm.train(parameters, data, num_boost_round=rounds, **settings)


def _parameters(spec: Spec, grades: int) -> dict[str, Any]:
    several = {"objective": "multiclass", "metric": "multi_logloss", "num_class": grades}
    return {
        **({"objective": "binary", "metric": "binary_logloss"} if grades == 2 else several),
        "boost_from_average": False,
        "learning_rate": spec.rate,
        "num_leaves": spec.leaves,
        "max_depth": spec.depth,
        "min_data_in_leaf": spec.fewest_in_leaf,
        "feature_fraction": spec.columns,
        "bagging_fraction": spec.rows,
        "bagging_freq": 1,
        "lambda_l1": spec.lasso,
        "lambda_l2": spec.ridge,
        "min_gain_to_split": spec.gain,
        "seed": spec.seed,
        "num_threads": spec.threads,
        # No choice of algorithm by timing: the same trees everywhere, every time.
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
