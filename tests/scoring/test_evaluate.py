"""Scores with intervals and floors, and paired differences."""

import numpy as np
import polars as pl
import pytest
from graded_tables import RUBRIC, arrays, labels_of, predictions_of, tables

from overread.records import Folds, Labels, Predictions, RecordError, Rubric, Target
from overread.scoring import better, compare, evaluate, floor_predictions, metric_name, unpredicted
from overread.shelf import Named, NotOnShelfError

LOSS = Named.model_validate({"use": "log_loss", "by_site": False})
AUC = Named.model_validate({"use": "auc", "by_site": False})
ALL = (LOSS, AUC)


def row(scores, predictor="us", metric="log_loss", target=None):
    """The one row of a predictor, metric and target."""
    rows = scores.frame.filter(
        pl.col("predictor") == predictor,
        pl.col("metric") == metric,
        pl.col("target").eq_missing(target),
        pl.col("slice").is_null(),
    )
    [found] = rows.iter_rows(named=True)
    return found


def folds_of(labels, count=4):
    """Subjects by turns."""
    people = sorted(labels.frame["subject"].unique())
    return Folds(
        pl.DataFrame({"subject": people, "fold": [index % count for index in range(len(people))]})
    )


def test_rows_have_value_interval_floors_and_n():
    """Each predictor and floor has a value within its interval, on the same units."""
    labels, predictions = tables(skill=2.0)
    scores = evaluate(RUBRIC, labels, predictions, ALL, folds=folds_of(labels), bootstrap=200)
    ours, floor = row(scores), row(scores, "floor:prior")

    assert ours["low"] < ours["value"] < ours["high"] < floor["low"]
    assert ours["n"] == floor["n"] == len(labels.known())
    assert {"us", "floor:prior", "floor:prior_per_site", "floor:weighted_prior_per_site"} == set(
        scores.frame["predictor"]
    )


def test_same_seed_same_interval():
    """Draws depend on the seed alone, not on the order of rows."""
    labels, predictions = tables()
    shuffled = [
        type(table)(table.frame.sample(fraction=1.0, shuffle=True, seed=9))
        for table in (labels, predictions)
    ]
    first, second, other = (
        evaluate(RUBRIC, *pair, ALL, folds=None, bootstrap=50, seed=seed, floors=False).frame
        for pair, seed in (((labels, predictions), 1), (shuffled, 1), ((labels, predictions), 2))
    )

    assert first["value"].to_list() == pytest.approx(second["value"].to_list(), abs=1e-12)
    assert first["low"].to_list() == pytest.approx(second["low"].to_list(), abs=1e-12)
    assert first["low"].to_list() != other["low"].to_list()


def test_subjects_are_drawn_whole():
    """Copies of a person's units make no interval narrower: the person is what is drawn."""
    labels, predictions = tables(60)
    copies = [
        type(table)(
            pl.concat(
                [
                    table.frame.with_columns(pl.col("unit", "study") + f"#{copy}")
                    for copy in range(5)
                ]
            )
        )
        for table in (labels, predictions)
    ]
    once, often = (
        row(evaluate(RUBRIC, *pair, [LOSS], folds=None, bootstrap=300, floors=False))
        for pair in ((labels, predictions), copies)
    )

    assert often["n"] == 5 * once["n"]
    assert once["low"] == pytest.approx(often["low"], abs=1e-9)
    assert once["high"] == pytest.approx(often["high"], abs=1e-9)


def test_the_interval_is_that_of_drawing_subjects_by_hand():
    """The standard error agrees with a plain bootstrap that copies tables."""
    labels, predictions = tables(50)
    scores = evaluate(RUBRIC, labels, predictions, [LOSS], folds=None, bootstrap=2000, floors=False)
    found = row(scores, target="degeneration")
    truth, predicted = arrays(labels, predictions, "degeneration")
    rows = labels.known().frame.join(predictions.frame, on=("unit", "target"))
    people = rows.filter(pl.col("target") == "degeneration")["subject"].to_list()
    weights = np.array(RUBRIC.target("degeneration").weights)[truth]
    losses = -np.log(predicted[np.arange(len(truth)), truth]) * weights
    members = [np.flatnonzero(np.array(people) == one) for one in sorted(set(people))]
    rng = np.random.default_rng(7)
    means = []
    for _ in range(2000):
        drawn = np.concatenate([members[one] for one in rng.integers(len(members), size=50)])
        means.append(losses[drawn].sum() / weights[drawn].sum())

    assert np.percentile(means, 2.5) == pytest.approx(found["low"], abs=0.02)
    assert np.percentile(means, 97.5) == pytest.approx(found["high"], abs=0.02)


def test_no_bootstrap_no_interval():
    """With no replicates there are values without bounds."""
    labels, predictions = tables()
    found = row(evaluate(RUBRIC, labels, predictions, [LOSS], folds=None, bootstrap=0))

    assert (found["low"], found["high"]) == (None, None)
    assert found["value"] is not None


def test_undefined_values_are_null():
    """An AUC of units that all have one answer is null, with its n and no interval."""
    labels, predictions = tables()
    last = labels.frame.with_columns(
        probabilities=pl.when(pl.col("target") == "narrowing")
        .then(pl.lit([0.0, 1.0]))
        .otherwise("probabilities")
    )
    scores = evaluate(RUBRIC, Labels(last), predictions, [AUC], folds=None, bootstrap=20)
    found, mean = (row(scores, metric="auc", target=name) for name in ("narrowing", None))

    assert (found["value"], found["low"], found["high"]) == (None, None, None)
    assert found["n"] > 0
    assert mean["value"] is not None


def test_units_without_truth_or_prediction_stay_out():
    """Pseudo-labels, missing grades and missing predictions are not scored."""
    labels, predictions = tables()
    pseudo = labels.frame.with_columns(
        origin=pl.when(pl.col("site") == "disc1").then(pl.lit("pseudo")).otherwise("origin")
    )
    some = Predictions(predictions.frame.filter(pl.col("subject") != "s1"))
    scores = evaluate(RUBRIC, Labels(pseudo), some, [LOSS], folds=None, bootstrap=0)
    kept = labels.known().frame.filter(pl.col("site") == "disc2", pl.col("subject") != "s1")

    assert len(kept) == row(scores)["n"] == row(scores, "floor:prior")["n"]


def test_units_that_were_left_out_can_be_listed():
    """Graded rows that a predictor leaves out are found, but not targets that it never answers."""
    labels, predictions = tables()
    some = Predictions(
        predictions.frame.filter(pl.col("target") == "narrowing", pl.col("subject") != "s1")
    )
    expected = labels.known().frame.filter(
        pl.col("target") == "narrowing", pl.col("subject") == "s1"
    )

    assert len(expected) > 0
    assert expected["unit"].sort().equals(unpredicted(labels, some).frame["unit"].sort())
    assert len(unpredicted(labels, predictions)) == 0


def test_nothing_to_score_is_told():
    """Predictions of other units are refused with what to check."""
    labels, predictions = tables()
    others = Predictions(predictions.frame.with_columns(pl.col("unit") + "x"))

    with pytest.raises(RecordError, match="study ids and sites are written alike"):
        evaluate(RUBRIC, labels, others, [LOSS], folds=None)
    with pytest.raises(RecordError, match="by both predictors"):
        compare(RUBRIC, labels, (predictions, others), [LOSS])


def test_unknown_metrics_are_told():
    """A metric that is not on the shelf lists those that are."""
    with pytest.raises(NotOnShelfError, match='did you mean "log_loss"'):
        evaluate(RUBRIC, *tables(), [Named(use="logloss")], folds=None)


def test_metrics_with_settings_have_their_own_name():
    """Settings that change the number stand in the name; by_site does not."""
    linear = Named.model_validate({"use": "kappa", "weights": "linear", "by_site": False})

    assert metric_name(linear) == "kappa[weights=linear]"
    assert metric_name(Named.model_validate({"use": "kappa", "weights": "quadratic"})) == "kappa"
    assert (better(linear), better(LOSS)) == ("higher", "lower")


def test_compare_is_paired():
    """The better of two similar predictors is seen although their intervals overlap widely."""
    labels, first = tables(80, skill=1.0)
    softened = first.frame.with_columns(
        probabilities=pl.col("probabilities").list.eval(pl.element() * 0.97 + 0.03 / pl.len())
    )
    second = Predictions(softened.with_columns(predictor=pl.lit("soft")))
    both = evaluate(RUBRIC, labels, Predictions.concat([first, second]), [LOSS], folds=None)
    difference = row(compare(RUBRIC, labels, (first, second), [LOSS]), "us - soft")
    expected = row(both)["value"] - row(both, "soft")["value"]

    assert expected == pytest.approx(difference["value"], abs=1e-12)
    assert difference["low"] < expected < difference["high"]
    wide = row(both)["high"] - row(both)["low"]
    assert difference["high"] - difference["low"] < wide / 4


def test_compare_with_itself_is_zero():
    """A predictor does not differ from itself."""
    labels, ours = tables()
    again = Predictions(ours.frame.with_columns(predictor=pl.lit("again")))
    found = row(compare(RUBRIC, labels, (ours, again), [LOSS], bootstrap=20), "us - again")

    assert (found["value"], found["low"], found["high"]) == (0.0, 0.0, 0.0)


def tiny():
    """Four subjects with grades 0, 1, 1, 1 of one binary target without sites."""
    rubric = Rubric("r", "photo", (Target("mask", ("no", "yes"), (1.0, 3.0), "binary"),))
    names = ["a", "b", "c", "d"]
    frame = pl.DataFrame(
        {
            "unit": names,
            "study": names,
            "subject": names,
            "site": pl.Series([None] * 4, dtype=pl.String),
            "target": ["mask"] * 4,
            "truth": [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]],
        }
    )
    return rubric, labels_of(frame), predictions_of(frame, "truth")


def test_floors_without_folds_know_all_that_is_scored():
    """One answer for everybody: that of the four (and one unit spread evenly).

    Leaving each out in turn would say no where balanced grades say yes, and make any score shine.
    """
    rubric, labels, _ = tiny()
    _, found = floor_predictions("floor:prior", rubric, labels, None).array("mask")
    folds = Folds(pl.DataFrame({"subject": ["a"], "fold": [0]}))
    _, some = floor_predictions("floor:prior", rubric, labels, folds).array("mask")

    assert found.tolist() == [[1.5 / 5, 3.5 / 5]] * 4
    assert some.tolist() == [[0.5 / 4, 3.5 / 4], *[[1.5 / 5, 3.5 / 5]] * 3]


def test_floors_leave_the_scored_fold_out():
    """With folds, the prior of a subject counts the other folds."""
    rubric, labels, _ = tiny()
    folds = Folds(pl.DataFrame({"subject": list("abcd"), "fold": [0, 0, 1, 1]}))
    floors = floor_predictions("floor:prior", rubric, labels, folds)
    _, found = floors.array("mask")

    assert found.tolist() == [[0.5 / 3, 2.5 / 3]] * 2 + [[0.5, 0.5]] * 2
    assert floors.frame.sort("unit")["fold"].to_list() == [0, 0, 1, 1]


def test_the_weighted_floor_is_the_best_constant():
    """No constant has a smaller weighted log loss than the weighted prior of a large table."""
    labels, predictions = tables(400, skill=0)
    target = RUBRIC.target("degeneration")
    rubric = Rubric("one", "site", (target,), RUBRIC.sites)
    scores = evaluate(rubric, labels, predictions, [LOSS], folds=None, bootstrap=0)
    truth, _ = arrays(labels, predictions, "degeneration")
    counts = np.bincount(truth, minlength=5) * np.array(target.weights)
    best = -(counts / counts.sum() * np.log(counts / counts.sum())).sum()

    assert best == pytest.approx(
        row(scores, "floor:weighted_prior_per_site", target="degeneration")["value"], abs=0.02
    )
    assert row(scores, "floor:prior", target="degeneration")["value"] > best + 0.05


def test_floors_know_sites():
    """Where grades differ from site to site, the prior per site is the better floor."""
    labels, predictions = tables(100)
    uneven = labels.frame.with_columns(
        probabilities=pl.when(
            pl.col("target") == "narrowing", pl.col("probabilities").is_not_null()
        )
        .then(
            pl.when(pl.col("site") == "disc1")
            .then(pl.lit([0.0, 1.0]))
            .otherwise(pl.lit([1.0, 0.0]))
        )
        .otherwise("probabilities")
    )
    scores = evaluate(RUBRIC, Labels(uneven), predictions, [LOSS], folds=None, bootstrap=0)
    per_target, per_site = (
        row(scores, name, target="narrowing")["value"]
        for name in ("floor:prior", "floor:prior_per_site")
    )

    assert per_site < 0.1
    assert per_target > 0.5
