"""Calibration maps that are linear in the log probabilities, learnt for each condition.

New logits = log p + (log p, 1) @ matrix, with what each site adds to the matrix, drawn to 0: so
sites are shrunk towards their condition, and conditions towards the mean of the members. Both
sides of a condition share what is learnt. `vector` and `dirichlet` differ in which entries of the
matrix are free. Knows no folds.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread import shelf
from overread.ensembling.conditions import conditions, graded_parts, one_hot_sites
from overread.ensembling.mean import mean_of
from overread.ensembling.sheets import Book, Parameters, Sheet, Truths
from overread.ensembling.softmax import fit_softmax, log_softmax

__all__ = ["Scaling", "apply_scaling", "fit_scaling"]

Floats = NDArray[np.float64]


class Scaling(shelf.Spec):
    """Settings that the calibration maps share.

    Attributes:
        weights: {member: weight} of the mean; members that are not named weigh 1.
        weighted: fit to the loss with the rubric's weights; else every unit weighs 1.
        by_site: let each site differ from its condition.
        ridge: how strongly a condition is drawn to the mean of the members, in units of the loss.
        site_ridge: how strongly a site is drawn to its condition.
        fewest: a condition with fewer graded units stays as the mean is.
        floor: probabilities below count as this.
    """

    weights: Mapping[str, float] = {}
    weighted: bool = True
    by_site: bool = False
    ridge: float = Field(default=1e-4, ge=0)
    site_ridge: float = Field(default=3e-3, ge=0)
    fewest: int = Field(default=20, ge=1)
    floor: float = Field(default=1e-6, gt=0, lt=0.5)


def fit_scaling(spec: Scaling, book: Book, truths: Truths, entries: Floats) -> Parameters:
    """Return {"matrix.<condition>": (features, grades)}.

    Args:
        spec: settings.
        book: answers of the members.
        truths: of its targets.
        entries: (2, 1) factors of `ridge` for the entries that keep a grade's own logarithm and
            for those that mix in another's; infinite = not free.
    """
    learnt = {}
    for name, sheets in conditions(book).items():
        graded, parts = graded_parts(sheets, truths, weighted=spec.weighted)
        if len(parts) < spec.fewest:
            continue
        logs, features = (
            np.concatenate([one[keep] for one, keep in zip(many, graded, strict=True)])
            for many in zip(*(_features(spec, book, sheet) for sheet in sheets), strict=True)
        )
        penalty = _penalty(spec, entries, logs.shape[1], features.shape[1])
        learnt[f"matrix.{name}"] = fit_softmax(features, logs, parts, penalty)
    return learnt


def apply_scaling(spec: Scaling, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, grades)}; conditions that were not learnt stay as the mean is."""
    joined = {}
    for name, sheets in conditions(book).items():
        for sheet in sheets:
            logits, features = _features(spec, book, sheet)
            if f"matrix.{name}" in learnt:
                logits = logits + features @ learnt[f"matrix.{name}"]
            joined[sheet.target.name] = np.exp(log_softmax(logits))
    return joined


def _features(spec: Scaling, book: Book, sheet: Sheet) -> tuple[Floats, Floats]:
    """Return log p (n, grades), and (log p, 1) with a copy for each site that is 0 elsewhere."""
    logs = np.log(np.maximum(mean_of(sheet, spec.weights), spec.floor))
    own = np.concatenate([logs, np.ones((len(logs), 1))], axis=1)
    if not (spec.by_site and book.rubric.sites):
        return logs, own
    here = one_hot_sites(book, sheet)
    copies = (here[:, :, None] * own[:, None, :]).reshape(len(own), -1)
    return logs, np.concatenate([own, copies], axis=1)


def _penalty(spec: Scaling, entries: Floats, grades: int, features: int) -> Floats:
    diagonal, mixing = entries
    own = np.where(np.eye(grades, dtype=bool), diagonal, mixing)
    block = np.concatenate([own, np.full((1, grades), diagonal)])
    copies = features // len(block) - 1
    return np.concatenate([spec.ridge * block, *[spec.site_ridge * block] * copies])
