"""What decisions cost on average, and what one rule saves against another on the same units."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.records import RecordError
from overread.scoring.bootstrap import interval, subject_draws
from overread.scoring.exam import divide

__all__ = ["decision_costs"]

Floats = NDArray[np.float64]
SCHEMA: dict[str, pl.DataType] = {
    "condition": pl.String(),
    "rule": pl.String(),
    "n": pl.Int64(),
    "cost": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "saved": pl.Float64(),
    "saved_low": pl.Float64(),
    "saved_high": pl.Float64(),
}


def decision_costs(
    decided: pl.DataFrame, *, against: str, bootstrap: int = 1000, seed: int = 0
) -> pl.DataFrame:
    """Return the mean cost of each rule, and what it saves against one of them.

    Args:
        decided: subject, condition, rule, cost; rows without a cost are left out, and every rule
            decides about the same units.
        against: the rule that others are compared with.
        bootstrap: replicates of the 95 % intervals, which draw subjects and are paired.
        seed: of the draws.

    Returns:
        A row a condition (null = all) and rule: n, cost a unit, `saved` = cost of `against` minus
        own cost, each with its interval.

    Raises:
        RecordError: if no unit has a cost, or no rule is called like `against`.
    """
    known = decided.drop_nulls("cost")
    if against not in known["rule"]:
        rules = ", ".join(known["rule"].unique(maintain_order=True)) or "no unit with a cost"
        raise RecordError(f'no rule "{against}" to compare with, found {rules}')
    people = {name: place for place, name in enumerate(sorted(known["subject"].unique()))}
    draws = subject_draws(len(people), bootstrap, seed)
    rows: list[dict[str, object]] = []
    names = known["condition"].unique(maintain_order=True).to_list()
    for condition in [None, *names] if len(names) > 1 else names:
        part = known if condition is None else known.filter(pl.col("condition") == condition)
        costs = {
            str(rule): _costs(part.filter(pl.col("rule") == rule), people, draws)
            for rule in part["rule"].unique(maintain_order=True)
        }
        for rule, (values, n) in costs.items():
            row = {"condition": condition, "rule": rule, "n": n, **_named(values, "")}
            rows.append(row | _named(costs[against][0] - values, "saved"))
    return pl.DataFrame(rows, schema=SCHEMA)


def _costs(part: pl.DataFrame, people: dict[str, int], draws: Floats) -> tuple[Floats, int]:
    """Return the (1 + replicates,) mean costs of a rule, and its units."""
    sums = np.zeros((len(people), 2))
    place = [people[name] for name in part["subject"]]
    np.add.at(sums, place, np.stack([part["cost"].to_numpy(), np.ones(len(part))], axis=1))
    return divide(*(draws @ sums).T), len(part)


def _named(values: Floats, prefix: str) -> dict[str, float | None]:
    low, high = interval(values[1:])
    start = f"{prefix}_" if prefix else ""
    return {prefix or "cost": float(values[0]), f"{start}low": low, f"{start}high": high}
