"""What to do about a grade: the option that costs least, given what each mistake costs.

The costs are stated by people, never learnt. Probabilities that were trained under weights lean to
the heavy grades; a slope and a shift of their logarithms, fitted on the other folds to how common
the grades truly are, straighten them first (Platt 1999, with a shift for each grade). Then the
option with the least expected cost is taken, which for two options is a threshold.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from overread import shelf
from overread.ensembling.conformal import held_out_rows
from overread.records import (
    Folds,
    Labels,
    Predictions,
    RecordError,
    Rubric,
    Target,
    conditions,
)
from overread.scoring import Graded, join
from overread.shelf import nearest

__all__ = [
    "RULES",
    "DecisionSpec",
    "apply_decisions",
    "decided_targets",
    "decisions_out_of_fold",
    "fit_decisions",
]

Floats = NDArray[np.float64]
FLOOR = 1e-6  # probabilities below count as this
RULES = ("least expected cost", "probabilities as said", "most probable grade")
CONSTANT = ("commonest grade", "cheapest for all")


class DecisionSpec(shelf.Spec):
    """Settings.

    Attributes:
        options: what can be done.
        costs: {grade: what each option costs when that is the truth}, in any unit, 0 or more.
        targets: that are decided about; None = all whose grades have costs.
        straighten: fit slope and shift on the other folds first; else probabilities count as said.
        fewest: with fewer graded units of a condition probabilities count as said.
    """

    options: tuple[str, ...] = Field(min_length=2)
    costs: Mapping[str, tuple[float, ...]] = Field(min_length=2)
    targets: tuple[str, ...] | None = None
    straighten: bool = True
    fewest: int = Field(default=50, ge=1)

    @model_validator(mode="after")
    def _check_shape(self) -> Self:
        if len(set(self.options)) != len(self.options):
            raise ValueError(f"options need names of their own, found {list(self.options)}")
        for grade, row in self.costs.items():
            if len(row) != len(self.options):
                raise ValueError(
                    f"{grade} has {len(row)} costs, expected {len(self.options)}, one for each of "
                    f"{', '.join(self.options)}"
                )
            if not all(np.isfinite(cost) and cost >= 0 for cost in row):
                raise ValueError(f"costs of {grade} are {list(row)}, expected 0 or more")
        return self


def decided_targets(spec: DecisionSpec, rubric: Rubric) -> tuple[Target, ...]:
    """Return the targets that are decided about.

    Raises:
        RecordError: for a target that is not in the rubric or has a grade without costs, and if
            there is none at all.
    """
    for name in spec.targets or ():
        if name not in rubric.names:
            raise RecordError(f'no target "{name}"; {nearest(name, rubric.names)}')
        if missing := set(rubric.target(name).grades) - set(spec.costs):
            raise RecordError(f"{name} has grades without costs: {', '.join(sorted(missing))}")
    wanted = rubric.names if spec.targets is None else spec.targets
    found = tuple(
        target
        for target in rubric.targets
        if target.name in wanted and set(target.grades) <= set(spec.costs)
    )
    if not found:
        grades = sorted({grade for target in rubric.targets for grade in target.grades})
        raise RecordError(
            f"no target has all its grades among {', '.join(spec.costs)}; "
            f"{rubric.name} has grades {', '.join(grades)}"
        )
    return found


def fit_decisions(
    spec: DecisionSpec, predictions: Predictions, labels: Labels, rubric: Rubric
) -> dict[str, Floats]:
    """Learn how probabilities are straightened, and how common grades are.

    Returns:
        {"slope.CONDITION": (1,), "shift.CONDITION": (grades,), "share.CONDITION": (grades,)};
        plain arrays, so that a bundle could keep them.
    """
    wanted = {target.name for target in decided_targets(spec, rubric)}
    graded = {one.target.name: one for one in join(rubric, labels, predictions).graded}
    learnt: dict[str, Floats] = {}
    for condition, targets in conditions(rubric).items():
        names = [one.name for one in targets if one.name in wanted and one.name in graded]
        parts = [graded[name] for name in names]
        if not parts:
            continue
        slope, shift = _straight(spec, parts)
        shares = np.concatenate([one.truth for one in parts]).mean(axis=0)
        learnt[f"slope.{condition}"] = np.array([slope])
        learnt[f"shift.{condition}"] = shift
        learnt[f"share.{condition}"] = shares
    return learnt


def apply_decisions(
    spec: DecisionSpec, predictions: Predictions, learnt: Mapping[str, Floats], rubric: Rubric
) -> pl.DataFrame:
    """Decide about each unit, by every rule.

    Returns:
        A row a unit, target and rule: unit, study, subject, site, target, condition, rule, option.
        The rules are `RULES`, and where shares of grades were learnt, two that look at no picture:
        "commonest grade" (what is best for it) and "cheapest for all".
    """
    wanted = {target.name for target in decided_targets(spec, rubric)}
    parts = []
    for condition, targets in conditions(rubric).items():
        for target in targets:
            rows = predictions.frame.filter(pl.col("target") == target.name)
            if target.name not in wanted or not len(rows):
                continue
            chances = np.array(rows["probabilities"].to_list(), np.float64)
            kept = rows.select("unit", "study", "subject", "site", "target")
            for rule, chosen in _chosen(spec, target, condition, chances, learnt).items():
                parts.append(
                    kept.with_columns(
                        condition=pl.lit(condition),
                        rule=pl.lit(rule),
                        option=pl.Series([spec.options[one] for one in chosen], dtype=pl.String),
                    )
                )
    return pl.concat(parts) if parts else pl.DataFrame()


def decisions_out_of_fold(
    spec: DecisionSpec, predictions: Predictions, labels: Labels, folds: Folds, rubric: Rubric
) -> pl.DataFrame:
    """Decide about the units of each fold with what the other folds teach.

    Returns:
        As `apply_decisions`, with `cost`: what the option costs, given the truth; null where it is
        not known. Of a soft label, the expected cost.
    """
    parts = []
    for inside, outside in held_out_rows(predictions, folds):
        learnt = fit_decisions(spec, outside, labels, rubric)
        parts.append(apply_decisions(spec, inside, learnt, rubric))
    decided = pl.concat([part for part in parts if len(part)])
    prices = pl.concat([_prices(spec, target, labels) for target in decided_targets(spec, rubric)])
    return decided.join(prices, on=("unit", "target", "option"), how="left")


def _prices(spec: DecisionSpec, target: Target, labels: Labels) -> pl.DataFrame:
    """Return what each option costs for each graded unit: unit, target, option, cost."""
    known = labels.known().frame.filter(
        pl.col("origin") != "pseudo", pl.col("target") == target.name
    )
    truth = np.array(known["probabilities"].to_list(), np.float64).reshape(-1, len(target.grades))
    return pl.concat(
        [
            known.select("unit", "target").with_columns(
                option=pl.lit(option), cost=pl.Series(truth @ costs, dtype=pl.Float64)
            )
            for option, costs in zip(spec.options, _costs(spec, target).T, strict=True)
        ]
    )


def _costs(spec: DecisionSpec, target: Target) -> Floats:
    """(grades, options)."""
    return np.array([spec.costs[grade] for grade in target.grades], np.float64)


def _chosen(
    spec: DecisionSpec,
    target: Target,
    condition: str,
    chances: Floats,
    learnt: Mapping[str, Floats],
) -> dict[str, NDArray[np.int64]]:
    """Return {rule: (n,) index of the option}; of equal costs the first."""
    costs = _costs(spec, target)
    slope = float(learnt.get(f"slope.{condition}", np.ones(1))[0])
    straight = _softmax(slope * _logs(chances) + learnt.get(f"shift.{condition}", 0.0))
    best = costs.argmin(axis=1)  # for each grade
    expected = (straight @ costs, chances @ costs)
    chosen = (*(one.argmin(axis=1) for one in expected), best[chances.argmax(axis=1)])
    rules = dict(zip(RULES, chosen, strict=True))
    if f"share.{condition}" in learnt:
        share = learnt[f"share.{condition}"]
        constant = (best[share.argmax()], (share @ costs).argmin())
        for rule, option in zip(CONSTANT, constant, strict=True):
            rules[rule] = np.full(len(chances), option)
    return rules


def _straight(spec: DecisionSpec, parts: list[Graded]) -> tuple[float, Floats]:
    """Return the slope and shift that make the plain log loss smallest; the loss is convex."""
    truth = np.concatenate([one.truth for one in parts])
    logs = _logs(np.concatenate([one.predicted for one in parts]))
    grades = truth.shape[1]
    if not spec.straighten or len(truth) < spec.fewest:
        return 1.0, np.zeros(grades)

    def loss(values: Floats) -> tuple[float, Floats]:
        shift = np.concatenate([[0.0], values[1:]])
        chances = _softmax(values[0] * logs + shift)
        gap = (chances - truth) / len(truth)
        slopes = [(gap * logs).sum()]
        value = -(truth * np.log(np.maximum(chances, FLOOR**2))).sum() / len(truth)
        return float(value), np.concatenate([slopes, gap.sum(axis=0)[1:]])

    start = np.concatenate([[1.0], np.zeros(grades - 1)])
    # A slope of 0 forgets the picture; a shift of 10 makes a grade 20,000 times as likely.
    bounds = [(0.05, 20.0), *[(-10.0, 10.0)] * (grades - 1)]
    from scipy.optimize import minimize

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), np.concatenate([[0.0], found.x[1:]])


def _logs(chances: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(chances, FLOOR)))


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
