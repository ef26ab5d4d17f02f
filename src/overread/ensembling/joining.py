"""What every joiner shares: fitting that never sees a unit's own fold.

A joiner is a module with `Spec`, `fit` and `apply`; `join` here drives both. Knows no networks.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.ensembling.sheets import (
    Book,
    JoinError,
    Parameters,
    Sheet,
    Truths,
    lay_out,
    truths_of,
)
from overread.records import Folds, Labels, Predictions, RecordError, Rubric
from overread.shelf import Named, settings_of

__all__ = ["Split", "apply_joiner", "fit_joiner", "join", "join_new", "joiner_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Split = Literal["subjects", "units"]


def join(
    named: Named,
    members: Sequence[Predictions],
    labels: Labels,
    folds: Folds,
    rubric: Rubric,
    *,
    name: str = "joined",
    split: Split = "subjects",
) -> Predictions:
    """Join out-of-fold predictions; what is learnt for a fold is learnt on the other folds.

    A unit's probabilities never depend on labels of its own fold. Members may differ in the units
    and targets that they answer; a unit is joined from the members that answer it. With folds of
    "units", as published stackers had them, they do depend on labels of the same subject: scores
    of the result are too good, and an audit refuses it.

    Args:
        named: joiner of this shelf, with settings; a key "of" (names of members) is ignored.
        members: one predictor each.
        labels: the truth.
        folds: of every subject with labels.
        rubric: the questions.
        name: of the predictor that results.
        split: what is held out whole: "subjects", or single "units" (as many folds, by chance).

    Raises:
        JoinError: if there is no member, a member holds several predictors, or a subject with
            labels has no fold.
    """
    book = lay_out(members, rubric)
    truths = truths_of(book, labels)
    if split == "units":
        return _by_units(named, book, truths, folds.count, name)
    own = {sheet.target.name: _own_folds(sheet, folds.of(), truths) for sheet in book}
    joined = {target: np.zeros(truth.shape) for target, truth in truths.items()}
    for fold in np.unique(np.concatenate(list(own.values()))):
        inside = {target: np.flatnonzero(one == fold) for target, one in own.items()}
        learnt = _learn(named, book, truths, {key: one != fold for key, one in own.items()})
        for target, answers in apply_joiner(named, book.take(inside), learnt).items():
            joined[target][inside[target]] = answers
    parts = []
    for sheet in book:
        target = sheet.target.name
        folds_of_rows = [None if fold < 0 else fold for fold in own[target].tolist()]
        parts.append(_rows(sheet, joined[target], folds_of_rows, name, "oof"))
    return Predictions.concat(parts)


def _by_units(named: Named, book: Book, truths: Truths, count: int, name: str) -> Predictions:
    """Join with folds of units; features are made of all units, only labels are held out."""
    module, spec = joiner_of(named)
    own = {
        sheet.target.name: np.random.default_rng(0).permutation(len(sheet.units)) % count
        for sheet in book
    }
    joined = {target: np.zeros(truth.shape) for target, truth in truths.items()}
    for fold in range(count):
        known = {
            target: np.where((own[target] == fold)[:, None], np.nan, truth)
            for target, truth in truths.items()
        }
        for target, answers in apply_joiner(named, book, module.fit(spec, book, known)).items():
            inside = own[target] == fold
            joined[target][inside] = answers[inside]
    return Predictions.concat(
        [
            _rows(sheet, joined[sheet.target.name], own[sheet.target.name].tolist(), name, "oof")
            for sheet in book
        ]
    )


def _own_folds(sheet: Sheet, fold_of: Mapping[str, int], truths: Truths) -> Ints:
    """(n,) fold of each unit; -1 for units of subjects without labels, who need none."""
    subjects = sheet.units["subject"]
    graded = np.isfinite(truths[sheet.target.name]).all(axis=1)
    strangers = sorted(set(subjects.to_numpy()[graded]) - set(fold_of))
    if strangers:
        raise JoinError(
            f"{len(strangers)} subjects with labels have no fold, such as {strangers[0]}; joiners "
            "are fitted on other folds, so each needs one: split again"
        )
    return np.array([fold_of.get(subject, -1) for subject in subjects], np.int64)


def _learn(
    named: Named, book: Book, truths: Truths, outside: Mapping[str, NDArray[np.bool_]]
) -> Parameters:
    rows = {target: np.flatnonzero(keep) for target, keep in outside.items()}
    module, spec = joiner_of(named)
    known = {target: truths[target][index] for target, index in rows.items()}
    learnt: Parameters = module.fit(spec, book.take(rows), known)
    return learnt


def fit_joiner(named: Named, book: Book, labels: Labels) -> Parameters:
    """Learn on all units of the book (a bundle's parameters for new studies)."""
    module, spec = joiner_of(named)
    learnt: Parameters = module.fit(spec, book, truths_of(book, labels))
    return learnt


def apply_joiner(named: Named, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, grades)} joined probabilities of the units of the book."""
    module, spec = joiner_of(named)
    joined = module.apply(spec, book, learnt)
    return {
        target: np.asarray(one / one.sum(axis=1, keepdims=True)) for target, one in joined.items()
    }


def join_new(
    named: Named, members: Sequence[Predictions], learnt: Parameters, rubric: Rubric, *, name: str
) -> Predictions:
    """Join predictions of new studies with what was learnt before; no labels, no folds."""
    book = lay_out(members, rubric)
    joined = apply_joiner(named, book, learnt)
    parts = [
        _rows(one, joined[one.target.name], [None] * len(one.units), name, "new") for one in book
    ]
    return Predictions.concat(parts)


def joiner_of(named: Named) -> tuple[Any, Any]:
    """Return the module and the settings of a joiner; a key "of" (names of members) is ignored."""
    settings = {key: value for key, value in named.settings.items() if key != "of"}
    return settings_of("overread.ensembling", {"use": named.use, **settings})


def _rows(
    sheet: Sheet, joined: Floats, folds: Sequence[int | None], name: str, role: str
) -> Predictions:
    if not np.isfinite(joined).all():
        raise RecordError(f"{name}: joined probabilities of {sheet.target.name} are not finite")
    return Predictions(
        sheet.units.with_columns(
            probabilities=pl.Series(joined.tolist(), dtype=pl.List(pl.Float64)),
            fold=pl.Series(folds, dtype=pl.Int64),
            predictor=pl.lit(name),
            role=pl.lit(role),
        )
    )
