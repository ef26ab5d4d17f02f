"""What the members say around a unit: the other side, other conditions, neighbours, the study.

Left and right are read from the own side outwards, so that what is learnt for one side holds for
the other. What is not answered is NaN. Knows no joiners and no truth.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.ensembling.conditions import condition_of
from overread.ensembling.mean import mean_of
from overread.ensembling.sheets import Book, Sheet

__all__ = ["Around", "Surroundings", "look_around", "surroundings_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Around = Literal["side", "conditions", "neighbours", "study"]
"""Kinds of context: the mirror partner at the same unit; the other conditions at the same unit;
the same target at the sites before and after; the rest of the study."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """How severe the mean of the members finds every unit, where a unit's neighbours are known.

    Attributes:
        places: {unit: index} of all units of the book.
        study: (units,) index of the study.
        site: (units,) index of the site.
        severity: {target: (units,)} log odds of being worse than the first grade; NaN = no answer.
        neighbours: (units, 2) index of the units at the site before and after; -1 = none.
    """

    places: Mapping[str, int]
    study: Ints
    site: Ints
    severity: Mapping[str, Floats]
    neighbours: Ints


def surroundings_of(book: Book, *, floor: float) -> Surroundings:
    """Lay all units of a book on one list, with what the members' mean says of each target."""
    keys = ["unit", "study", "site"]
    units = pl.concat([sheet.units.select(keys) for sheet in book]).unique("unit").sort("unit")
    places = {unit: index for index, unit in enumerate(units["unit"])}
    severity = {}
    for sheet in book:
        values = np.full(len(units), np.nan)
        values[[places[unit] for unit in sheet.units["unit"]]] = _severity(sheet, floor)
        severity[sheet.target.name] = values
    studies = {name: index for index, name in enumerate(units["study"].unique().sort())}
    study = np.array([studies[name] for name in units["study"]], np.int64)
    order = {name: index for index, name in enumerate(book.rubric.sites)}
    site = np.array([order.get(name, -1) for name in units["site"]], np.int64)
    at = {pair: index for index, pair in enumerate(zip(study.tolist(), site.tolist(), strict=True))}
    near = [
        [
            at.get((one, here + step), -1) if here >= 0 and here + step >= 0 else -1
            for step in (-1, 1)
        ]
        for one, here in zip(study.tolist(), site.tolist(), strict=True)
    ]
    return Surroundings(places, study, site, severity, np.array(near, np.int64).reshape(-1, 2))


def _severity(sheet: Sheet, floor: float) -> Floats:
    chances = np.maximum(mean_of(sheet, {}), floor)
    return np.asarray(np.log(chances[:, 1:].sum(axis=1) / chances[:, 0]))


def look_around(book: Book, sheet: Sheet, around: tuple[Around, ...], seen: Surroundings) -> Floats:
    """Return the (n, features) context of the units of a sheet; NaN where nothing is said.

    The columns of a target and of its mirror partner mean the same.
    """
    name = sheet.target.name
    at = np.array([seen.places[unit] for unit in sheet.units["unit"]], np.int64)
    nothing = np.full(len(seen.study), np.nan)
    columns: list[Floats] = []
    if "side" in around and sheet.target.mirror is not None:
        columns.append(seen.severity.get(sheet.target.mirror, nothing)[at])
    if "conditions" in around:
        columns += [one[at] for one in _others(book, name, seen, nothing)]
    if "neighbours" in around and book.rubric.sites:
        own = np.append(seen.severity[name], np.nan)
        columns += [own[seen.neighbours[at, step]] for step in (0, 1)]
    if "study" in around and book.rubric.sites:
        columns += _elsewhere(book, name, seen, at)
    return np.stack(columns, axis=1) if columns else np.zeros((len(at), 0))


def _others(book: Book, name: str, seen: Surroundings, nothing: Floats) -> list[Floats]:
    """Return the severity of the other conditions, own side before the other side.

    Seen from a target without sides, both sides are alike: their mean and the worse of them.
    """
    rubric, columns = book.rubric, []
    own = condition_of(rubric, name)
    for other in dict.fromkeys(condition_of(rubric, one) for one in rubric.names):
        if other == own:
            continue
        pair = [seen.severity.get(other, nothing)]
        if rubric.target(other).mirror is not None:
            pair.append(seen.severity.get(rubric.partner(other), nothing))
        if len(pair) == 2 and rubric.target(name).mirror is None:
            pair = [np.mean(pair, axis=0), np.fmax(*pair)]
        columns += pair if own == name else pair[::-1]
    return columns


def _elsewhere(book: Book, name: str, seen: Surroundings, at: Ints) -> list[Floats]:
    """Return the mean and the worst severity of the condition at the study's other sites."""
    num_studies, num_sites = int(seen.study.max(initial=-1)) + 1, len(book.rubric.sites)
    table = np.full((num_studies, num_sites), np.nan)
    placed = seen.site >= 0
    table[seen.study[placed], seen.site[placed]] = seen.severity[name][placed]
    rows = table[seen.study[at]]
    rows[np.arange(len(at)), seen.site[at]] = np.nan
    known = np.isfinite(rows)
    worst = np.where(known, rows, -np.inf).max(axis=1)
    count = known.sum(axis=1)
    average = np.where(known, rows, 0.0).sum(axis=1) / np.maximum(count, 1)
    return [np.where(count > 0, one, np.nan) for one in (average, worst)]
