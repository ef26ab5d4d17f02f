"""What a page about a run is made of: records and tables, no store.

How the page looks is not known here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.records import Finding, Labels, Predictions, Rubric, Scores
from overread.reporting.trust_report import TrustReport

__all__ = ["Case", "Curve", "RunReport"]


@dataclass(frozen=True, eq=False)
class Curve:
    """How one network learnt.

    Attributes:
        name: of the locator or member.
        fold: held out.
        events: of the fit's log; "step" and "validation" are drawn.
    """

    name: str
    fold: int
    events: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Case:
    """An answer to look at.

    Attributes:
        unit: id.
        target: name.
        truth: probabilities of the grades.
        answer: probabilities of the grades.
        loss: -sum(truth ln answer), weighted by the rubric.
        images: (title, (rows, columns) uint8) of what the network saw.
    """

    unit: str
    target: str
    truth: Sequence[float]
    answer: Sequence[float]
    loss: float
    images: Sequence[tuple[str, NDArray[np.uint8]]] = ()


@dataclass(frozen=True, eq=False)
class RunReport:
    """A finished run.

    Attributes:
        title: of the page.
        rubric: what was graded.
        final: the predictor that counts.
        scores: of all predictors and floors.
        labels: the truth.
        predictions: out of fold, of the final predictor at least.
        about: {word: text} of the recipe.
        recipe: resolved, as text.
        facts: {word: text}: counts, hashes, versions, hardware, date.
        curves: of locators and members.
        points: columns locator, point, error_mm (null = not found), a row for each true point.
        findings: about the data.
        timings: columns stage, name, seconds, peak_mb; one row a step.
        cases: the worst answers, with pictures.
        trust: how far answers can be trusted; None = nothing is said.
        differences: of pairs of predictors, "first - second"; empty = none were compared.
        notice: said at the top, such as that the studies are phantoms; empty = nothing.
    """

    title: str
    rubric: Rubric
    final: str
    scores: Scores
    labels: Labels
    predictions: Predictions
    about: Mapping[str, str] = field(default_factory=dict)
    recipe: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    curves: Sequence[Curve] = ()
    points: pl.DataFrame | None = None
    findings: Sequence[Finding] = ()
    timings: pl.DataFrame | None = None
    cases: Sequence[Case] = ()
    trust: TrustReport | None = None
    differences: Scores = field(default_factory=Scores.empty)
    notice: str = ""
