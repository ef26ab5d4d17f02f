"""How far readers agree beyond chance: Cohen, Fleiss, and Gwet's AC1 and AC2.

Readers grade subjects on one scale; nothing here knows rubrics, predictions or files. A grade that
a reader did not give is NaN. Cohen's kappa is of two readers, on the subjects that both graded; the
other coefficients take any number of readers and, as Gwet does, subjects with missing grades.
Equals scikit-learn's `cohen_kappa_score` and statsmodels' `fleiss_kappa`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from overread import shelf
from overread.records import RecordError

__all__ = [
    "Agreement",
    "AgreementSpec",
    "agreement",
    "cohen_kappa",
    "fleiss_kappa",
    "gwet_ac",
    "percent_agreement",
]

Floats = NDArray[np.float64]
Weights = Literal["none", "linear", "quadratic"]


class AgreementSpec(shelf.Spec):
    """Settings.

    Attributes:
        bootstrap: replicates for the intervals; whole subjects are drawn.
        seed: of the draws.
        interval: percentiles of the replicates.
    """

    bootstrap: int = Field(default=1000, ge=0)
    seed: int = 0
    interval: tuple[float, float] = (2.5, 97.5)


@dataclass(frozen=True)
class Agreement:
    """One coefficient.

    Attributes:
        statistic: such as "cohen", "cohen_linear", "fleiss", "gwet_ac2_quadratic".
        readers: whom it is about; all of them for those of many readers.
        value: None where undefined (such as all grades the same).
        low, high: 95 % interval; None where there is none.
        n: subjects behind it.
    """

    statistic: str
    readers: tuple[str, ...]
    value: float | None
    low: float | None
    high: float | None
    n: int


def percent_agreement(ratings: ArrayLike, *, grades: int, weights: Weights = "none") -> float:
    """Return the share of agreeing pairs of readers, mean over subjects with two grades or more.

    Args:
        ratings: (subjects, readers) grade from 0, NaN where not given.
        grades: number of grades.
        weights: credit for grades that lie near each other.
    """
    counts = _counts(_checked(ratings, grades), grades)
    return float(_observed(counts, _credit(grades, weights), np.ones(len(counts))))


def cohen_kappa(ratings: ArrayLike, *, grades: int, weights: Weights = "none") -> float:
    """Return Cohen's kappa of two readers (Cohen 1960, weighted 1968); NaN where undefined.

    Args:
        ratings: (subjects, 2) grade from 0, NaN where not given.
        grades: number of grades.
        weights: what a disagreement costs by its distance: the same, linear or quadratic.
    """
    values = _checked(ratings, grades)
    if values.shape[1] != 2:
        raise RecordError(f"Cohen's kappa is of two readers, found {values.shape[1]}")
    return float(_cohen(values, grades, weights)(np.ones(len(values))))


def fleiss_kappa(ratings: ArrayLike, *, grades: int) -> float:
    """Return Fleiss' kappa (1971) of subjects that every reader graded; NaN where undefined.

    Args:
        ratings: (subjects, readers) grade from 0; subjects with a missing grade are left out.
        grades: number of grades.
    """
    values = _checked(ratings, grades)
    return float(_fleiss(values, grades)(np.ones(len(values))))


def gwet_ac(ratings: ArrayLike, *, grades: int, weights: Weights = "none") -> float:
    """Return Gwet's AC1 (no weights) or AC2 (weighted); NaN where undefined.

    Chance is what readers who are at a loss would reach, so that a rare finding does not make the
    coefficient collapse as kappa does (Gwet, Handbook of Inter-Rater Reliability, 4th ed., 2014,
    equations 4.4 and 5.2).

    Args:
        ratings: (subjects, readers) grade from 0, NaN where not given.
        grades: number of grades.
        weights: credit for grades that lie near each other.
    """
    values = _checked(ratings, grades)
    return float(_gwet(values, grades, weights)(np.ones(len(values))))


def agreement(
    ratings: Mapping[str, ArrayLike],
    *,
    grades: int,
    ordered: bool = True,
    subjects: ArrayLike | None = None,
    spec: AgreementSpec,
) -> list[Agreement]:
    """Return every coefficient with its interval: Cohen for each pair, the others for all.

    Args:
        ratings: {reader: (n,) grade from 0, NaN where not given}, units in one order.
        grades: number of grades.
        ordered: also the weighted coefficients.
        subjects: (n,) person of each unit, who is drawn whole; None = each unit is a person.
        spec: of the intervals.

    Raises:
        RecordError: if there are fewer than two readers, or they graded different numbers.
    """
    names = tuple(ratings)
    columns = [np.asarray(ratings[name], np.float64).reshape(-1) for name in names]
    if len(names) < 2 or len({len(column) for column in columns}) != 1:
        sizes = {name: len(column) for name, column in zip(names, columns, strict=True)}
        raise RecordError(f"agreement needs two readers of the same subjects, found {sizes}")
    values = _checked(np.stack(columns, 1), grades)
    people = np.arange(len(values)) if subjects is None else np.asarray(subjects)
    weights = _weights(people, spec)
    kinds: tuple[Weights, ...] = ("none", "linear", "quadratic") if ordered else ("none",)
    found = [
        _measured(
            _named("cohen", kind),
            (names[a], names[b]),
            values[:, [a, b]],
            _cohen(values[:, [a, b]], grades, kind),
            weights,
            spec=spec,
        )
        for a, b in combinations(range(len(names)), 2)
        for kind in kinds
    ]
    found.append(
        _measured("fleiss", names, values, _fleiss(values, grades), weights, spec=spec, whole=True)
    )
    for kind in kinds:
        name = "gwet_ac1" if kind == "none" else _named("gwet_ac2", kind)
        found.append(
            _measured(name, names, values, _gwet(values, grades, kind), weights, spec=spec)
        )
    return found


def _named(statistic: str, weights: Weights) -> str:
    return statistic if weights == "none" else f"{statistic}_{weights}"


def _weights(people: NDArray[np.generic], spec: AgreementSpec) -> Floats:
    """Return (1 + replicates, n): each unit once, then how often its person was drawn."""
    names, place = np.unique(people, return_inverse=True)
    chances = np.full(len(names), 1 / max(len(names), 1))
    draws = np.random.default_rng(spec.seed).multinomial(len(names), chances, size=spec.bootstrap)
    return np.concatenate([np.ones((1, len(people))), draws[:, place].astype(np.float64)])


def _measured(
    statistic: str,
    readers: tuple[str, ...],
    values: Floats,
    weigh: Callable[[Floats], float],
    weights: Floats,
    *,
    spec: AgreementSpec,
    whole: bool = False,
) -> Agreement:
    given = np.isfinite(values).sum(axis=1)
    used = int((given == values.shape[1]).sum() if whole else (given >= 2).sum())
    value, *drawn = [weigh(weight) for weight in weights]
    replicates = np.array(drawn, np.float64)
    known = replicates[np.isfinite(replicates)]
    enough = np.isfinite(value) and len(known) >= max(2, len(replicates) // 2)
    low, high = np.percentile(known, spec.interval) if enough else (None, None)
    return Agreement(
        statistic,
        readers,
        float(value) if np.isfinite(value) else None,
        None if low is None else float(low),
        None if high is None else float(high),
        used,
    )


def _checked(ratings: ArrayLike, grades: int) -> Floats:
    values = np.asarray(ratings, np.float64)
    if values.ndim != 2:
        raise RecordError(f"ratings have shape {values.shape}, expected (subjects, readers)")
    known = values[np.isfinite(values)]
    if (
        np.isinf(values).any()
        or ((known != np.rint(known)) | (known < 0) | (known >= grades)).any()
    ):
        raise RecordError(f"grades must be whole numbers from 0 to {grades - 1}, or NaN")
    return values


def _counts(values: Floats, grades: int) -> Floats:
    """Return (subjects, grades): how many readers gave each grade."""
    return np.stack([(values == grade).sum(axis=1) for grade in range(grades)], 1).astype(float)


def _credit(grades: int, weights: Weights) -> Floats:
    """Return (grades, grades) credit, 1 on the diagonal, 0 in the far corner."""
    apart = np.abs(np.subtract.outer(np.arange(grades), np.arange(grades))) / max(grades - 1, 1)
    if weights == "none":
        return np.eye(grades)
    return np.asarray(1 - (apart if weights == "linear" else apart**2))


def _observed(counts: Floats, credit: Floats, weight: Floats) -> float:
    readers = counts.sum(axis=1)
    used = (readers >= 2) & (weight > 0)
    if not used.any():
        return float("nan")
    agreeing = (counts * (counts @ credit - 1)).sum(axis=1)[used]
    share = agreeing / (readers[used] * (readers[used] - 1))
    return float((weight[used] * share).sum() / weight[used].sum())


def _cohen(values: Floats, grades: int, weights: Weights) -> Callable[[Floats], float]:
    both = np.isfinite(values).all(axis=1)
    cell = (values[both, 0] * grades + values[both, 1]).astype(np.int64)
    cost = 1 - _credit(grades, weights)

    def kappa(weight: Floats) -> float:
        table = np.bincount(cell, weight[both], grades * grades).reshape(grades, grades)
        total = table.sum()
        chance = np.outer(table.sum(axis=1), table.sum(axis=0))
        expected = (cost * chance).sum()
        return float(1 - (cost * table).sum() * total / expected) if expected else float("nan")

    return kappa


def _fleiss(values: Floats, grades: int) -> Callable[[Floats], float]:
    whole = np.isfinite(values).all(axis=1)
    counts = _counts(values[whole], grades)

    def kappa(weight: Floats) -> float:
        used = weight[whole]
        if not used.sum():
            return float("nan")
        share = used @ counts / (used.sum() * values.shape[1])
        chance = float((share**2).sum())
        observed = _observed(counts, np.eye(grades), used)
        return (observed - chance) / (1 - chance) if chance < 1 else float("nan")

    return kappa


def _gwet(values: Floats, grades: int, weights: Weights) -> Callable[[Floats], float]:
    counts = _counts(values, grades)
    readers = counts.sum(axis=1)
    credit = _credit(grades, weights)

    def coefficient(weight: Floats) -> float:
        graded = (readers >= 1) & (weight > 0)
        if not graded.any():
            return float("nan")
        shares = counts[graded] / readers[graded, None]
        share = weight[graded] @ shares / weight[graded].sum()
        chance = float(credit.sum() / (grades * (grades - 1)) * (share * (1 - share)).sum())
        return (_observed(counts, credit, weight) - chance) / (1 - chance)

    return coefficient
