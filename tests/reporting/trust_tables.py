"""Tables about trust, made from random answers, for pages and drawings."""

import numpy as np
import polars as pl
from graded import RUBRIC, predictions

from overread.ensembling import ConformalSpec, apply_sets, fit_sets
from overread.records import Labels, Predictions
from overread.reporting import ReaderBand, TrustReport
from overread.scoring import referral_areas, referral_curves, set_coverage


def labelled(num_studies: int = 40, *, seed: int = 0) -> tuple[Labels, Predictions]:
    """Return answers, and truths drawn from them."""
    answers = Predictions.concat([predictions(str(n), seed=n) for n in range(num_studies)])
    rng = np.random.default_rng(seed)
    drawn = [np.eye(3)[rng.choice(3, p=row)].tolist() for row in answers.frame["probabilities"]]
    frame = answers.frame.with_columns(
        probabilities=pl.Series(drawn), weight=1.0, origin=pl.lit("truth")
    )
    return Labels(frame), answers


def effects() -> pl.DataFrame:
    """Return differences of two members, one of which has no interval."""
    rows = [
        ("first", "left out", 0.02, 0.01, 0.03),
        ("second", "left out", -0.001, -0.01, 0.01),
        ("first", "alone", 0.05, 0.03, 0.08),
        ("second", "alone", 0.15, None, None),
    ]
    return pl.DataFrame(
        [
            {"member": m, "kind": k, "metric": "log_loss", "value": v, "low": low, "high": high}
            for m, k, v, low, high in rows
        ]
    ).with_columns(
        target=pl.lit(None, pl.String), slice=pl.lit(None, pl.String), n=pl.lit(10, pl.Int64)
    )


def costs() -> pl.DataFrame:
    """Return costs of three rules in a single condition."""
    rows = [("least expected cost", 0.30), ("most probable grade", 0.42), ("commonest grade", 0.9)]
    return pl.DataFrame(
        [
            {
                "condition": "canal",
                "rule": rule,
                "n": 80,
                "cost": cost,
                "low": cost - 0.02,
                "high": cost + 0.02,
                "saved": 0.42 - cost,
                "saved_low": 0.41 - cost,
                "saved_high": 0.43 - cost,
            }
            for rule, cost in rows
        ]
    )


def readers() -> tuple[ReaderBand, ...]:
    """Return a published band, and one of a single value that is of nothing we have."""
    ours = {"predictor": "final", "target": "canal", "value": 0.7, "low": 0.6, "high": 0.8}
    return (
        ReaderBand("three readers, by pairs", "A paper <2023>", "kappa", 0.74, 0.86, (ours,)),
        ReaderBand("two readers", "Another paper", "kappa", 0.5, 0.5, ()),
    )


def trust() -> TrustReport:
    """Return a report with everything in it."""
    labels, answers = labelled()
    spec = ConformalSpec(coverage=0.8)
    sets = apply_sets(spec, answers, fit_sets(spec, answers, labels, RUBRIC), RUBRIC)
    return TrustReport(
        coverage=set_coverage(RUBRIC, labels, sets, bootstrap=30),
        nominal=0.8,
        areas=referral_areas(RUBRIC, labels, answers, sets, bootstrap=30),
        curves=referral_curves(RUBRIC, labels, answers, sets),
        costs=costs(),
        effects=effects(),
        better={"log_loss": "lower"},
        readers=readers(),
    )
