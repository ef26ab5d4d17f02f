"""The official head CT score by hand: weights, clipping, intervals by patient."""

import numpy as np
import polars as pl
import pytest
from graded_tables import labels_of, predictions_of

from overread.records import Derived, RecordError, Rubric, Target
from overread.scoring import evaluate, score
from overread.shelf import Named

GRADES = ("absent", "present")
BLEEDS = ("one", "two")
RUBRIC = Rubric(
    "heads",
    "slice",
    (
        Target("any", GRADES, (2.0, 2.0), "binary"),
        *(Target(name, GRADES, (1.0, 1.0), "binary") for name in BLEEDS),
    ),
)


def tables(truth, said, *, per_subject=2):
    """Tables of (n, targets) truth and chances; each patient has some slices."""
    names = ("any", *BLEEDS)
    rows = [
        {
            "unit": f"u{i:03}",
            "study": f"t{i // per_subject}",
            "subject": f"p{i // per_subject}",
            "site": f"1/{i:04}",
            "target": name,
            "truth": [1.0 - truth[i][k], float(truth[i][k])],
            "predicted": [1.0 - said[i][k], float(said[i][k])],
        }
        for i in range(len(truth))
        for k, name in enumerate(names)
        if truth[i][k] is not None
    ]
    frame = pl.DataFrame(rows)
    return labels_of(frame), predictions_of(frame)


def scored(labels, predictions, rubric=RUBRIC, **settings):
    """{target: value}."""
    named = Named.model_validate({"use": "rsna2019_head_ct", **settings})
    values = score(named, labels, predictions, rubric)
    return {one.target: one.value for one in values}


def random_tables(num=40):
    """Truth in which any is the maximum, and chances."""
    rng = np.random.default_rng(4)
    bleeds = rng.random((num, 2)) < 0.3
    truth = np.concatenate([bleeds.any(1, keepdims=True), bleeds], axis=1).astype(int)
    return truth, rng.uniform(0.05, 0.95, (num, 3))


def test_any_counts_twice():
    """The total is the mean of [any, any, the others]; each target has its plain log loss."""
    truth, said = random_tables()
    found = scored(*tables(truth.tolist(), said.tolist()))
    losses = -(truth * np.log(said) + (1 - truth) * np.log(1 - said)).mean(0)

    assert found[None] == pytest.approx((2 * losses[0] + losses[1] + losses[2]) / 4)
    assert [found["any"], found["one"], found["two"]] == pytest.approx(losses.tolist())


def test_certain_errors_cost_what_the_clip_says():
    """A wrong certainty costs -ln(clip), officially 34.5; the setting moves it."""
    labels, said = tables([[1, 1, 1]], [[0.0, 1.0, 1.0]])

    assert scored(labels, said)["any"] == pytest.approx(-np.log(1e-15))
    assert scored(labels, said, clip=1e-6)["any"] == pytest.approx(-np.log(1e-6))


def test_missing_rows_weigh_nothing():
    """A row without truth leaves both sums; the rest keeps its weights."""
    found = scored(*tables([[1, 0, None]], [[0.5, 0.25, 0.9]]))

    assert found[None] == pytest.approx(-(2 * np.log(0.5) + np.log(0.75)) / 3)


def test_a_derived_any_scores_like_a_learnt_one():
    """Where the rubric derives "any" as the maximum it is put together, and counts twice."""
    truth, said = random_tables()
    said[:, 0] = said[:, 1:].max(1)
    labels, predictions = tables(truth.tolist(), said.tolist())
    rubric = Rubric("heads", "slice", RUBRIC.targets[1:], derived=(Derived("any", BLEEDS),))

    assert scored(labels, predictions) == pytest.approx(scored(labels, predictions, rubric))


def test_a_derived_target_needs_all_its_parts():
    """Units that lack a part are refused, since the maximum would be of other units."""
    rubric = Rubric("heads", "slice", RUBRIC.targets[1:], derived=(Derived("any", BLEEDS),))
    labels, predictions = tables([[1, 0, 1], [1, 1, None]], [[0.5] * 3] * 2, per_subject=1)
    with pytest.raises(RecordError, match="maximum of one, two"):
        scored(labels, predictions, rubric)


def test_intervals_are_by_patient():
    """Slices of a patient are drawn together: with one slice repeated they are as wide as one."""
    truth, said = random_tables()
    metric = [Named(use="rsna2019_head_ct")]
    once = tables(truth.tolist(), said.tolist(), per_subject=1)
    four = tables(
        np.repeat(truth, 4, axis=0).tolist(), np.repeat(said, 4, axis=0).tolist(), per_subject=4
    )
    widths = []
    for labels, predictions in (once, four):
        rows = evaluate(RUBRIC, labels, predictions, metric, folds=None, bootstrap=300)
        total = rows.frame.filter(
            pl.col("target").is_null(), ~pl.col("predictor").str.starts_with("floor")
        ).row(0, named=True)
        widths.append(total["high"] - total["low"])

    assert widths[0] == pytest.approx(widths[1], rel=0.15)
    assert widths[0] > 0.05


def test_floors_are_beside():
    """The prior of the training folds is scored on the same slices."""
    truth, said = random_tables()
    rows = evaluate(
        RUBRIC,
        *tables(truth.tolist(), said.tolist()),
        [Named(use="rsna2019_head_ct")],
        folds=None,
        bootstrap=0,
    ).frame

    assert "floor:prior" in set(rows["predictor"])
