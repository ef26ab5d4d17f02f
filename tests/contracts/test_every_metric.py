"""What every metric of the shelf keeps: perfect beats random, order and gaps are no matter."""

import numpy as np
import polars as pl
import pytest

from overread.records import Labels, Predictions, Rubric, Target
from overread.scoring import evaluate, score
from overread.shelf import Named, names_on_shelf, take

METRICS = names_on_shelf("overread.scoring")
GRADES = ("mild", "moderate", "severe")
SIDES = ("left_subarticular", "right_subarticular")
# Named so that the lumbar score finds its groups; every other metric takes any names.
RUBRIC = Rubric(
    "spine",
    "site",
    (
        Target("spinal", GRADES, (1, 2, 4)),
        Target(SIDES[0], GRADES, (1, 2, 4), mirror=SIDES[1]),
        Target(SIDES[1], GRADES, (1, 2, 4), mirror=SIDES[0]),
        Target("foraminal", ("no", "yes"), (1, 1), "binary"),
    ),
    ("upper", "lower"),
)


def world(kind, *, num_studies=60, seed=0):
    """Labels of which some are missing, and "perfect", "good" or "random" predictions."""
    rng = np.random.default_rng(seed)
    rows = []
    for study in range(num_studies):
        for site in RUBRIC.sites:
            for target in RUBRIC.targets:
                num = len(target.grades)
                truth = np.eye(num)[rng.integers(num)]
                noise = rng.dirichlet(np.ones(num))
                share = {"perfect": 1.0, "good": 0.35, "random": 0.0}[kind]
                rows.append(
                    {
                        "unit": f"{study}@{site}",
                        "study": str(study),
                        "subject": f"p{study // 2}",
                        "site": site,
                        "target": target.name,
                        "truth": None if rng.random() < 0.15 else truth.tolist(),
                        "predicted": (share * truth + (1 - share) * noise).tolist(),
                    }
                )
    frame = pl.DataFrame(rows, infer_schema_length=None)
    labels = frame.with_columns(probabilities="truth", weight=pl.lit(1.0), origin=pl.lit("truth"))
    predictions = frame.with_columns(
        probabilities="predicted",
        fold=pl.lit(None, pl.Int64),
        predictor=pl.lit(kind),
        role=pl.lit("oof"),
    )
    return Labels(labels), Predictions(predictions)


def scored(name, labels, predictions):
    """{(target, slice): (value, n)} of a metric with its default settings."""
    values = score(Named(use=name), labels, predictions, RUBRIC)
    return {(one.target, one.slice): (one.value, one.n) for one in values}


def test_there_are_metrics():
    """The shelf is not empty."""
    assert {"rsna2024_lumbar", "log_loss", "auc", "kappa"} <= set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_has_what_a_metric_has(name):
    """A metric says in which direction it is better, and its docstring tells what it is."""
    module = take("overread.scoring", name)

    assert module.BETTER in {"lower", "higher"}
    assert {"BETTER", "Spec", "measures"} <= set(module.__all__)
    assert module.BETTER in module.__doc__.lower()


@pytest.mark.parametrize("name", METRICS)
def test_perfect_beats_good_beats_random(name):
    """The overall number is best for perfect predictions and worst for random ones."""
    perfect, good, random = (
        scored(name, *world(kind))[None, None][0] for kind in ("perfect", "good", "random")
    )
    sign = 1 if take("overread.scoring", name).BETTER == "higher" else -1

    if name == "calibration_error":  # being right more often than said is no calibration either
        assert sign * perfect > sign * random
    else:
        assert sign * perfect >= sign * good > sign * random


@pytest.mark.parametrize("name", METRICS)
def test_row_order_is_irrelevant(name):
    """Shuffled labels and predictions give the same numbers."""
    labels, predictions = world("good")
    shuffled = scored(
        name,
        Labels(labels.frame.sample(fraction=1, shuffle=True, seed=1)),
        Predictions(predictions.frame.sample(fraction=1, shuffle=True, seed=2)),
    )
    expected = scored(name, labels, predictions)

    assert expected.keys() == shuffled.keys()
    for key, (value, n) in expected.items():
        assert (pytest.approx(value, abs=1e-12), n) == shuffled[key]


@pytest.mark.parametrize("name", METRICS)
def test_missing_labels_count_for_nothing(name):
    """Rows without a grade may as well not be there, and what they predict is irrelevant."""
    labels, predictions = world("good")
    known = labels.known()
    missing = labels.frame.filter(pl.col("probabilities").is_null()).select("unit", "target")
    kept = Predictions(predictions.frame.join(missing, on=("unit", "target"), how="anti"))

    assert len(missing) > 0
    assert scored(name, known, kept) == scored(name, labels, predictions)


@pytest.mark.parametrize("name", METRICS)
def test_a_target_that_is_not_predicted_is_left_out(name):
    """Predictions of some targets alone are scored on these."""
    labels, predictions = world("good")
    some = Predictions(predictions.frame.filter(pl.col("target") != "foraminal"))
    values = scored(name, labels, some)

    assert values[None, None][0] is not None
    assert "foraminal" not in {part for key in values for part in key}


@pytest.mark.parametrize("name", METRICS)
def test_intervals_hold_the_value(name):
    """The bootstrap of a metric gives an interval around it, of more than no width."""
    scores = evaluate(RUBRIC, *world("good"), [Named(use=name)], folds=None, bootstrap=100)
    [row] = scores.frame.filter(
        pl.col("predictor") == "good", pl.col("target").is_null(), pl.col("slice").is_null()
    ).iter_rows(named=True)

    # A calibration error is never negative, so noise in a replicate pushes it upwards.
    slack = 0.02 if name == "calibration_error" else 0.0
    assert row["low"] - slack <= row["value"] <= row["high"]
    assert row["low"] < row["high"]
