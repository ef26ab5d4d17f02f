"""Trees that look along a scan: what they see, what they add, and folds that are given to rows."""

import numpy as np
import polars as pl
import pytest

from overread.auditing import AuditSpec, Tables, audit
from overread.datasets.head_ct_tables import rubric_of
from overread.ensembling import join, lay_out, truths_of
from overread.ensembling.neighbour_stack import Spec, _features, apply, fit
from overread.records import Folds, Labels, Predictions
from overread.scoring import compare
from overread.shelf import Named

RUBRIC = rubric_of(learnt=True)
SCANS, LENGTH = 36, 24
QUICK = {"reach": 4, "rounds": 60, "patience": 15, "rate": 0.1, "fewest_in_leaf": 10}


def rows(chances, targets=("any",)):
    """One row a slice and target; `chances` is (scans, length) for each target."""
    return pl.DataFrame(
        [
            {
                "unit": f"s{scan:02}-{place:02}",
                "study": f"s{scan:02}",
                "subject": f"p{scan:02}",
                "site": f"1/{place + 1:04}",
                "target": target,
                "probabilities": [1 - chance, chance],
            }
            for target, table in zip(targets, chances, strict=True)
            for scan, line in enumerate(table.tolist())
            for place, chance in enumerate(line)
        ]
    )


def said(name, chances):
    """Predictions of one member for "any"."""
    extra = {"fold": pl.lit(0, pl.Int64), "predictor": pl.lit(name), "role": pl.lit("oof")}
    return Predictions(rows([chances]).with_columns(**extra))


def world(seed=0, *, noise=1.8):
    """Bleedings as runs of slices, and two members that see each slice by itself, with noise."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((SCANS, LENGTH))
    for scan in np.flatnonzero(rng.random(SCANS) < 0.7):
        start = rng.integers(0, LENGTH - 8)
        truth[scan, start : start + rng.integers(4, 9)] = 1
    members = [
        said(name, 1 / (1 + np.exp(-(3 * truth - 2 + noise * rng.normal(size=truth.shape)))))
        for name in "ab"
    ]
    labels = Labels(rows([truth]).with_columns(weight=pl.lit(1.0), origin=pl.lit("truth")))
    subjects = [f"p{scan:02}" for scan in range(SCANS)]
    folds = Folds(pl.DataFrame({"subject": subjects, "fold": [one % 3 for one in range(SCANS)]}))
    return members, labels, folds


def stacked(split="subjects", **settings):
    """The members joined by the stack."""
    members, labels, folds = world()
    named = Named.model_validate({"use": "neighbour_stack", **QUICK, **settings})
    return join(named, members, labels, folds, RUBRIC, name="stack", split=split)


def gap(first, second):
    """Difference of the official score with its interval, of all slices."""
    labels = world()[1]
    rows_ = compare(RUBRIC, labels, (first, second), [Named(use="rsna2019_head_ct")]).frame
    return rows_.filter(pl.col("target").is_null()).row(0, named=True)


def test_the_published_number_of_features() -> None:
    """Ten streams and twenty slices to either side make 401 columns; -1 beyond the scan."""
    members, _, _ = world()
    nine = [Predictions(members[0].frame.with_columns(predictor=pl.lit(f"m{i}"))) for i in range(9)]
    [sheet] = lay_out(nine, RUBRIC)
    found = _features(Spec(), sheet, np.ones(len(sheet.units), np.bool_))

    assert found.shape == (SCANS * LENGTH, 401)
    assert (found[0, 1:11] == -1).all()
    assert found[0, 0] == pytest.approx(found[1, 1])


def test_neighbours_help_where_members_see_slices_alone() -> None:
    """On runs of bleeding the stack is better than the mean, with an interval below zero."""
    members, labels, folds = world()
    mean = join(Named(use="mean"), members, labels, folds, RUBRIC, name="mean")
    found = gap(stacked(), mean)

    assert found["high"] < 0


def test_without_reach_there_is_nothing_to_add() -> None:
    """The same trees without neighbours are worse than with them."""
    assert gap(stacked(), stacked(reach=0))["high"] < 0


def test_what_was_learnt_applies_to_slices_in_any_order() -> None:
    """Sheets are sorted by name, features by place; an answer belongs to its slice."""
    members, labels, _ = world()
    book = lay_out(members, RUBRIC)
    learnt = fit(Spec(**QUICK), book, truths_of(book, labels))
    turned = np.arange(SCANS * LENGTH)[::-1].copy()
    plain = apply(Spec(**QUICK), book, learnt)["any"]
    found = apply(Spec(**QUICK), book.take({"any": turned}), learnt)["any"]

    assert np.array_equal(plain[turned], found)


def test_folds_of_rows_look_better_than_they_are() -> None:
    """With single slices held out the score is better, and the audit calls it a leak."""
    members, labels, folds = world()
    by_rows = stacked("units")
    found = gap(by_rows, stacked())
    tables = Tables(RUBRIC, labels, by_rows, folds.frame, members)
    verdict = audit(tables, spec=AuditSpec())
    honest = audit(Tables(RUBRIC, labels, stacked(), folds.frame, members), spec=AuditSpec())

    assert found["value"] < 0
    assert [one.verdict for one in verdict.suspicions if one.kind == "leak"][:1] == ["refuse"]
    assert [one for one in honest.suspicions if one.kind == "leak"] == []


def test_one_grade_alone_stays_the_blend() -> None:
    """Where all slices are free of blood there is nothing to learn; weights of the blend hold."""
    members, labels, _ = world()
    book = lay_out(members, RUBRIC)
    nothing = Labels(labels.frame.with_columns(probabilities=pl.lit([1.0, 0.0])))
    spec = Spec(weights={"a": 3.0, "b": 1.0})
    learnt = fit(spec, book, truths_of(book, nothing))
    [sheet] = book

    assert learnt == {}
    assert apply(spec, book, learnt)["any"] == pytest.approx(
        np.average(sheet.probabilities, axis=0, weights=[3, 1]), abs=1e-5
    )
