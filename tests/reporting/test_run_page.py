"""The page of a run: its counts are right, its parts are there when they should be."""

import numpy as np
import polars as pl
import pytest
from graded import GRADES, RUBRIC, SITES, predictions
from test_study_page import Balanced

from overread.records import Finding, Labels, Predictions, Scores
from overread.reporting import Case, Curve, RunReport, run_page, worst_cases
from overread.reporting.figures import draw_forest
from overread.reporting.tallies import confusion, expected_calibration_error, reliability, tally


def labels_like(table: Predictions, *, seed: int = 0) -> Labels:
    """Return hard labels for all rows, drawn at random."""
    rng = np.random.default_rng(seed)
    rows = table.frame.select("unit", "study", "subject", "site", "target")
    truth = np.eye(3)[rng.integers(0, 3, len(rows))].tolist()
    return Labels(
        rows.with_columns(
            pl.Series("probabilities", truth), pl.lit(1.0).alias("weight"),
            pl.lit("truth").alias("origin"),
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def tables():
    """Labels and predictions of thirty studies."""
    answers = Predictions.concat([predictions(str(n), seed=n) for n in range(30)])
    return labels_like(answers), answers


@pytest.fixture(scope="module")
def scores():
    """Scores of two predictors and a floor, with a part that has no value."""
    rows = [
        ("final", "log_loss", None, None, 0.61, 0.55, 0.67, 60),
        ("final", "log_loss", "canal", None, 0.5, 0.4, 0.6, 60),
        ("member", "log_loss", None, None, 0.7, None, None, 60),
        ("floor:prior_per_site", "log_loss", None, None, 0.9, 0.8, 1.0, 60),
        ("final", "auc", None, None, None, None, None, 60),
    ]
    return Scores(pl.DataFrame(rows, schema=list(Scores.schema), orient="row"))


@pytest.fixture(scope="module")
def report(tables, scores):
    """A run with everything in it."""
    labels, answers = tables
    events = [{"event": "step", "step": n, "total": 1 / (n + 1)} for n in range(50)]
    events.append({"event": "validation", "step": 49, "total": 0.2, "measure": 0.2})
    worst = worst_cases(RUBRIC, labels, answers, "final", count=2)
    shade = np.zeros((8, 9), np.uint8)
    return RunReport(
        "A run",
        RUBRIC,
        "final",
        scores,
        labels,
        answers,
        about={"source": "a paper", "notes": ""},
        recipe="recipe: 1 # <tag>",
        facts={"Studies": "30"},
        curves=[Curve("discs", 0, events)],
        points=pl.DataFrame(
            {"locator": "discs", "point": list(SITES) * 3, "error_mm": [1.0, 2.0, None, 4.0, 1, 2]}
        ),
        findings=[
            Finding("slices_missing", "note", "a slice is missing", study="1"),
            Finding("slices_missing", "note", "another", study="2"),
            Finding("decode_failed", "refuse", "cut short"),
        ],
        timings=pl.DataFrame(
            {"stage": ["fit", "fit"], "name": ["a", "b"], "seconds": [60.0, 65.0], "peak_mb": 100.0}
        ),
        cases=[Case(c.unit, c.target, c.truth, c.answer, c.loss, [("near", shade)]) for c in worst],
        notice="These are phantoms.",
    )


def test_full_page_is_whole_and_alone(report):
    """Everything is there, tags are balanced, links lead somewhere, nothing comes from outside."""
    html = run_page(report)
    page = Balanced(html)
    text = " ".join(page.text)

    assert page.open == []
    assert all(link.startswith(("data:image/", "#")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    for words in ("0.6100", "0.5500 to 0.6700", "floor: prior per site 0.9000", "2 min 5 s",
                  "5 of 6 true points found", "These are phantoms.", "decode_failed"):  # fmt: skip
        assert words in text
    assert "recipe: 1 # &lt;tag&gt;" in html


def test_empty_parts_are_left_out(tables, scores):
    """Without points, curves, cases and findings their sections and links are absent."""
    labels, answers = tables
    page = Balanced(run_page(RunReport("Bare", RUBRIC, "final", scores, labels, answers)))

    assert {"scores", "sites", "answers", "reliability"} <= page.ids
    assert page.ids.isdisjoint({"points", "curves", "cases", "findings", "timings", "recipe"})


def test_page_without_predictions_has_scores(scores):
    """A run whose predictions are gone still shows its scores."""
    bare = RunReport("Bare", RUBRIC, "final", scores, Labels.empty(), Predictions.empty())

    assert {"scores"} == Balanced(run_page(bare)).ids


def test_confusion_counts_every_unit(tables):
    """Rows of the matrix are true grades, columns answers."""
    first = tally(RUBRIC, *tables, "final")[0]
    counts = confusion(first)

    expected = np.zeros((3, 3), int)
    for truth, answer in zip(first.truth, first.answer, strict=True):
        expected[truth.argmax(), answer.argmax()] += 1
    assert expected.tolist() == counts.tolist()
    assert len(first) == counts.sum() == 60


def test_honest_probabilities_are_reliable():
    """Grades drawn from the probabilities lie on the diagonal; exaggeration does not."""
    rng = np.random.default_rng(3)
    honest = rng.dirichlet([2.0, 1.0, 1.0], size=4000)
    truth = np.array([np.eye(3)[rng.choice(3, p=row)] for row in honest])
    sharp = honest**4 / (honest**4).sum(1, keepdims=True)
    base = tally(RUBRIC, *made(truth, honest), "p")[0]
    other = tally(RUBRIC, *made(truth, sharp), "p")[0]

    small = expected_calibration_error(reliability(base))
    large = expected_calibration_error(reliability(other))

    assert small < 0.02
    assert large > 0.1
    assert [curve.grade for curve in reliability(base)] == list(GRADES)


def made(truth, answer):
    """Return labels and predictions of one target."""
    rows = pl.DataFrame({"unit": [f"u{n}" for n in range(len(truth))]}).with_columns(
        pl.col("unit").alias("study"), pl.col("unit").alias("subject"),
        pl.lit(None, pl.String).alias("site"), pl.lit("canal").alias("target"),
    )  # fmt: skip
    labels = rows.with_columns(
        pl.Series("probabilities", truth.tolist()), pl.lit(1.0).alias("weight"),
        pl.lit("truth").alias("origin"),
    )  # fmt: skip
    answers = rows.with_columns(
        pl.Series("probabilities", answer.tolist()), pl.lit(None, pl.Int64).alias("fold"),
        pl.lit("p").alias("predictor"), pl.lit("oof").alias("role"),
    )  # fmt: skip
    return Labels(labels), Predictions(answers)


def test_constant_answers_have_a_curve():
    """One and the same probability for all units gives one point, not an error."""
    truth = np.eye(3)[[0, 1, 2, 0]]
    curves = reliability(tally(RUBRIC, *made(truth, np.full((4, 3), 1 / 3)), "p")[0])

    assert [len(curve.said) for curve in curves] == [1, 1, 1]
    assert [int(curve.count.sum()) for curve in curves] == [4, 4, 4]


def test_worst_cases_cost_most(tables):
    """Cases come with falling loss, weighted by the rubric."""
    labels, answers = tables
    cases = worst_cases(RUBRIC, labels, answers, "final", count=5)
    losses = [case.loss for case in cases]
    first = cases[0]
    weight = RUBRIC.target(first.target).weights[int(np.argmax(first.truth))]

    assert sorted(losses, reverse=True) == losses
    assert len(cases) == 5
    assert first.loss == pytest.approx(-weight * np.log(first.answer[int(np.argmax(first.truth))]))


def test_drawings_repeat():
    """The same numbers give the same bytes."""
    rows = [
        {"predictor": "final", "value": 0.6, "low": 0.5, "high": 0.7},
        {"predictor": "floor:prior", "value": 0.9, "low": None, "high": None},
    ]

    first, second = (draw_forest(rows, final="final", axis="loss") for _ in range(2))

    assert first == second
    assert first.startswith(b"<?xml")
