"""Targets that share what is learnt: a target and its mirror partner are one condition.

Knows no joiners.
"""

import numpy as np
from numpy.typing import NDArray

from overread.ensembling.sheets import Book, Sheet, Truths
from overread.records import Rubric

__all__ = ["condition_of", "conditions", "graded_parts", "one_hot_sites", "site_index"]

Floats = NDArray[np.float64]


def condition_of(rubric: Rubric, target: str) -> str:
    """Return the name of a target's condition: the first in the rubric of the two partners."""
    partner = rubric.partner(target)
    return next(name for name in rubric.names if name in (target, partner))


def conditions(book: Book) -> dict[str, list[Sheet]]:
    """Return {condition: its sheets}, in the rubric's order."""
    found: dict[str, list[Sheet]] = {}
    for sheet in book:
        found.setdefault(condition_of(book.rubric, sheet.target.name), []).append(sheet)
    return found


def site_index(book: Book, sheet: Sheet) -> NDArray[np.int64]:
    """(n,) index of each unit's site in the rubric; 0 where the rubric has none."""
    place = {site: index for index, site in enumerate(book.rubric.sites)}
    return np.array([place.get(site, 0) for site in sheet.units["site"]], np.int64)


def one_hot_sites(book: Book, sheet: Sheet) -> Floats:
    """(n, sites) 1 at each unit's site; no columns where the rubric has no sites."""
    num_sites = len(book.rubric.sites)
    return (
        np.eye(num_sites)[site_index(book, sheet)] if num_sites else np.zeros((len(sheet.units), 0))
    )


def graded_parts(
    sheets: list[Sheet], truths: Truths, *, weighted: bool
) -> tuple[list[NDArray[np.bool_]], Floats]:
    """Return which units of each sheet are graded, and their truth times the rubric's weights.

    Args:
        sheets: with the same grades.
        truths: of their targets.
        weighted: else every grade weighs 1.

    Returns:
        A mask (n,) for each sheet, and (graded units of all, grades).
    """
    graded = [np.asarray(np.isfinite(truths[one.target.name]).all(axis=1)) for one in sheets]
    parts = [
        truths[sheet.target.name][keep] * (np.array(sheet.target.weights) if weighted else 1.0)
        for sheet, keep in zip(sheets, graded, strict=True)
    ]
    return graded, np.concatenate(parts)
