"""Sets of grades: they hold the true one as often as asked, and never learn from their own fold."""

import numpy as np
import polars as pl
import pytest
from joining_tables import RUBRIC, folds_of, labels_of, member, noisy, study_names, truths

from overread.datasets import rsna2024_lumbar as lumbar
from overread.ensembling import ConformalSpec, apply_sets, fit_sets, join, sets_out_of_fold
from overread.records import Folds, Labels, Predictions, RecordError, Rubric, Target
from overread.scoring import set_coverage
from overread.shelf import Named

NUM = 900
TRUTH = truths(NUM)
# The last grade is rare.
TRUTH["grade"] = np.minimum(np.random.default_rng(9).geometric(0.55, NUM) - 1, 2)
OURS = member("m", noisy(TRUTH, seed=1))
LABELS = labels_of(TRUTH)
PLAIN = ConformalSpec()


def covered(spec, *, predictions=OURS, labels=LABELS):
    sets = sets_out_of_fold(spec, predictions, labels, folds_of(NUM), RUBRIC)
    return set_coverage(RUBRIC, labels, sets, bootstrap=0)


@pytest.mark.parametrize("score", ["cumulative", "ordinal"])
@pytest.mark.parametrize("share", [0.8, 0.9])
def test_every_grade_is_covered(score, share):
    """Each grade is held as often as was asked for, the rare one too, at a useful size."""
    table = covered(ConformalSpec(ordered=score, coverage=share)).drop_nulls("grade")

    assert table["n"].min() > 150
    assert table["coverage"].to_numpy() == pytest.approx(share, abs=0.03)
    assert table.filter(pl.col("condition") == "grade")["size"].max() < 2.6


@pytest.mark.parametrize("score", ["adaptive", "plain"])
def test_scores_that_know_no_order(score):
    """They cover every grade too; the middle one more often, for it joins sets with a gap."""
    table = covered(ConformalSpec(ordered=score)).drop_nulls("grade")
    shares = dict(table.select("grade", "coverage").iter_rows())

    assert shares.pop("1") > 0.93
    assert list(shares.values()) == pytest.approx([0.9] * 4, abs=0.03)


def test_rank_of_the_threshold():
    """Of 9 scores, 90 % takes the largest; of 8 none suffices, so that the grade always stays."""
    named = RUBRIC.target("tear")
    chances = np.linspace(0.5, 0.9, 9)
    for num, expected in ((9, 0.5), (8, np.inf)):
        table = member("m", {"tear": np.stack([1 - chances[:num], chances[:num]], axis=1)})
        truth = labels_of({"tear": np.ones(num, int)})
        learnt = fit_sets(PLAIN, table, truth, Rubric("knee", "study", (named,)))

        assert [[np.inf, expected]] == learnt["threshold.tear"].round(12).tolist()


def test_a_fold_teaches_itself_nothing():
    """Other labels in a fold change the sets of the other folds only."""
    inside = [name for index, name in enumerate(study_names(NUM)) if index % 4 == 2]
    turned = pl.col("probabilities").list.reverse()
    own = pl.col("unit").is_in(inside)
    other = Labels(
        LABELS.frame.with_columns(pl.when(own).then(turned).otherwise("probabilities").alias("p"))
        .drop("probabilities")
        .rename({"p": "probabilities"})
    )
    before, after = (
        sets_out_of_fold(PLAIN, OURS, labels, folds_of(NUM), RUBRIC).frame.sort("target", "unit")
        for labels in (LABELS, other)
    )
    changed = before.with_columns(now=after["holds"]).filter(pl.col("holds") != pl.col("now"))

    assert before.filter(own).equals(after.filter(own))
    assert len(changed) > 20


def test_new_studies_get_what_all_folds_teach():
    """Thresholds are arrays; they give a set for each new unit, whatever the order of rows."""
    learnt = fit_sets(PLAIN, OURS, LABELS, RUBRIC)
    shuffled = Predictions(OURS.frame.sample(fraction=1, shuffle=True, seed=3))
    table = apply_sets(PLAIN, shuffled, learnt, RUBRIC)

    assert {name: one.shape for name, one in learnt.items()} == {
        "threshold.grade": (1, 3),
        "threshold.tear": (1, 2),
    }
    assert (
        OURS.frame.select("unit", "target")
        .sort("target", "unit")
        .equals(table.frame.select("unit", "target").sort("target", "unit"))
    )
    expected = apply_sets(PLAIN, OURS, learnt, RUBRIC).array("grade")[1]
    assert expected.tolist() == table.array("grade")[1].tolist()


def test_units_without_folds_and_thresholds():
    """Subjects without a fold are given sets; a target that nobody graded keeps all its grades."""
    some = Folds(folds_of(NUM).frame.head(NUM - 5))
    labels = Labels(LABELS.frame.filter(pl.col("target") == "grade"))
    known = Labels(labels.frame.filter(pl.col("subject").is_in(some.frame["subject"].to_list())))
    table = sets_out_of_fold(PLAIN, OURS, known, some, RUBRIC)

    assert len(OURS) == len(table)
    assert table.array("tear")[1].all()
    assert not table.array("grade")[1][-5:].all()


def test_no_set_is_empty_and_ordered_sets_have_no_gaps():
    """At low coverage many units fit no grade: the most probable one stands then."""
    spec = ConformalSpec(coverage=0.3, ordered="plain")
    sets = sets_out_of_fold(spec, OURS, LABELS, folds_of(NUM), RUBRIC).array("grade")[1]
    first = OURS.array("grade")[1].argmax(axis=1)

    assert sets.any(axis=1).all()
    assert not (sets[:, 0] & ~sets[:, 1] & sets[:, 2]).any()
    assert sets[np.arange(NUM), first].mean() > 0.7


def test_the_answer_can_be_kept():
    """With `keep_answer` each set holds the most probable grade, and no set is smaller for it."""
    kept, plain = (
        sets_out_of_fold(
            ConformalSpec(keep_answer=keep, coverage=0.5), OURS, LABELS, folds_of(NUM), RUBRIC
        )
        for keep in (True, False)
    )
    first = OURS.array("grade")[1].argmax(axis=1)
    more, fewer = (one.array("grade")[1] for one in (kept, plain))

    assert more[np.arange(NUM), first].all()
    assert not fewer[np.arange(NUM), first].all()
    assert (more >= fewer).all()


def test_sides_and_sites():
    """Sides share thresholds; sites have their own, unless too few units teach them."""
    grades, weights, sites = ("0", "1"), (1.0, 1.0), ("up", "down")
    pair = (
        Target("left_hip", grades, weights, mirror="right_hip"),
        Target("right_hip", grades, weights, mirror="left_hip"),
    )
    rubric = Rubric("hips", "site", pair, sites)
    rng = np.random.default_rng(0)
    rows = [
        {"study": f"s{n}", "site": site, "target": target.name, "grade": n % 2}
        for n in range(120)
        for site in sites[: 1 + (n < 30)]
        for target in pair
    ]
    sure = rng.uniform(0.4, 1, len(rows))
    frame = pl.DataFrame(rows).with_columns(
        unit=pl.concat_str("study", pl.lit("@"), "site"),
        subject=pl.col("study"),
        weight=1.0,
        origin=pl.lit("truth"),
        probabilities=pl.Series([[1.0 - row["grade"], float(row["grade"])] for row in rows]),
        predicted=pl.Series(
            [[one, 1 - one][:: 1 - 2 * row["grade"]] for row, one in zip(rows, sure, strict=True)]
        ),
    )
    labels = Labels(frame)
    ours = Predictions(
        frame.drop("probabilities")
        .rename({"predicted": "probabilities"})
        .with_columns(fold=0, predictor=pl.lit("m"), role=pl.lit("oof"))
    )
    spec = ConformalSpec(per="site", fewest=31)
    table = fit_sets(spec, ours, labels, rubric)["threshold.hip"]

    assert table.shape == (3, 2)
    assert table[0].tolist() == table[2].tolist()
    assert table[0].tolist() != table[1].tolist()
    assert len(frame) == len(apply_sets(spec, ours, {"threshold.hip": table}, rubric))


def test_thresholds_of_another_rubric():
    """Thresholds that do not fit the grades are refused with both shapes."""
    with pytest.raises(RecordError, match=r"thresholds of grade are \(1, 2\), expected .* 3\)"):
        apply_sets(PLAIN, OURS, {"threshold.grade": np.zeros((1, 2))}, RUBRIC)


def test_real_tables(real_data):
    """On seven real networks every grade is covered within 2.5 points of 90 %, severe ones too."""
    folder, spec = real_data / "lumbar_rsna2024", lumbar.Spec()
    rubric, labels = lumbar.rubric(spec), lumbar.read_labels(spec, folder / "labels")
    table = pl.read_csv(folder / "labels" / "folds_yu4u.csv", infer_schema=False)
    folds = Folds(table.rename({"study_id": "subject", "fold_id": "fold"}))
    members = [
        lumbar.read_submission(spec, path, path.name.removesuffix(".csv.gz"))
        for path in sorted((folder / "oof_yu4u").glob("*.gz"))
    ]
    mean = join(Named(use="mean"), members, labels, folds, rubric, name="mean")
    sets = sets_out_of_fold(PLAIN, mean, labels, folds, rubric)
    grades = set_coverage(rubric, labels, sets, bootstrap=0).drop_nulls("grade")

    assert len(grades) == 9
    assert grades["coverage"].to_numpy() == pytest.approx(0.9, abs=0.025)
    assert grades["size"].max() < 1.7
