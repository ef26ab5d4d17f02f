"""How far the answers of a run can be trusted: what a page about it is made of.

Tables as `scoring` and `ensembling` make them; how they look is not known here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

__all__ = ["ReaderBand", "TrustReport"]


@dataclass(frozen=True, eq=False)
class ReaderBand:
    """How well people agree with each other, beside how well the run agrees with its labels.

    Attributes:
        who: between whom, such as "three radiologists, by pairs".
        source: where it was published.
        metric: name, as in scores.
        low, high: of the published values.
        ours: rows with predictor, target, value, low, high of the same metric.
    """

    who: str
    source: str
    metric: str
    low: float
    high: float
    ours: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, eq=False)
class TrustReport:
    """What is known of how far answers can be trusted; None and empty = was not asked for.

    Attributes:
        coverage: of sets of grades, as `scoring.set_coverage` returns it.
        nominal: the coverage that was asked for.
        areas, curves: of referral, as `scoring.referral_areas` and `referral_curves` return them.
        costs: of decisions, as `scoring.decision_costs` returns them.
        effects: of members, as `ensembling.member_effects` returns them.
        verdicts: on members, as `ensembling.member_verdicts` returns them.
        better: {metric: "lower" or "higher"} of the effects.
        readers: agreement between people.
    """

    coverage: pl.DataFrame | None = None
    nominal: float | None = None
    areas: pl.DataFrame | None = None
    curves: pl.DataFrame | None = None
    costs: pl.DataFrame | None = None
    effects: pl.DataFrame | None = None
    verdicts: pl.DataFrame | None = None
    better: Mapping[str, str] | None = None
    readers: Sequence[ReaderBand] = ()
