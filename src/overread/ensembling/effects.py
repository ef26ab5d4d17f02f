"""What each member adds to an ensemble: the ensemble without it, and the member alone.

How members are joined is told by the caller, so that every joiner can be asked.
"""

from collections.abc import Callable, Sequence

import polars as pl

from overread.records import Labels, Predictions, Rubric
from overread.scoring import compare
from overread.shelf import Named

__all__ = ["member_effects"]

Join = Callable[[Sequence[Predictions]], Predictions]


def member_effects(
    join: Join,
    members: Sequence[Predictions],
    labels: Labels,
    rubric: Rubric,
    metrics: Sequence[Named],
    *,
    bootstrap: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:
    """Compare an ensemble with itself less a member, and with each member alone.

    Both differences are paired by subject, on the units that both predict; a member that answers
    some targets is compared on those. With a single member there is nothing to leave out.

    Args:
        join: {members: out-of-fold predictions of the ensemble}; called once with all, and once
            without each.
        members: one predictor each.
        labels: the truth.
        rubric: the questions.
        metrics: names of the shelf of scores.
        bootstrap: replicates.
        seed: of the draws.

    Returns:
        A row a member, kind ("left out": ensemble without it minus ensemble; "alone": member minus
        ensemble), metric, target and slice: value, low, high, n. Of a score where lower is better,
        a positive "left out" tells that the member helps.
    """
    whole = _called(join(members), "all")
    parts = []
    for member in members:
        name = str(member.frame["predictor"][0])
        others = [one for one in members if one is not member]
        tables = {"alone": member}
        if others:
            tables = {"left out": join(others), **tables}
        for kind, table in tables.items():
            pair = (_called(table, name), whole)
            rows = compare(rubric, labels, pair, metrics, bootstrap=bootstrap, seed=seed).frame
            parts.append(
                rows.select(
                    pl.lit(name).alias("member"),
                    pl.lit(kind).alias("kind"),
                    pl.exclude("predictor"),
                )
            )
    return pl.concat(parts)


def _called(table: Predictions, name: str) -> Predictions:
    return Predictions(table.frame.with_columns(predictor=pl.lit(name)))
