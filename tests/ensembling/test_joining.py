"""Members side by side, and fitting that never sees a unit's own fold."""

import numpy as np
import polars as pl
import pytest
from joining_tables import RUBRIC, folds_of, labels_of, member, noisy, study_names, truths

from overread.ensembling import JoinError, fit_joiner, join, join_new, lay_out
from overread.records import Folds, Labels, Predictions
from overread.shelf import Named

NUM = 60
TRUTH = truths(NUM)
MEAN = Named(use="mean")


def two(**more):
    return [member(name, noisy(TRUTH, seed=seed), **more) for name, seed in (("a", 1), ("b", 2))]


def joined(named=MEAN, members=None, labels=None, folds=None):
    chosen = members if members is not None else two()
    truth = labels if labels is not None else labels_of(TRUTH)
    return join(named, chosen, truth, folds if folds is not None else folds_of(NUM), RUBRIC)


def test_rows_are_out_of_fold_predictions_of_the_new_name():
    """A joined table holds each unit once, with the fold that it was held out in."""
    table = joined()
    wanted = {f"p{name}": index % 4 for index, name in enumerate(study_names(NUM))}

    assert {("joined", "oof")} == set(table.frame.select("predictor", "role").iter_rows())
    assert len(table) == 2 * NUM
    assert all(wanted[who] == fold for who, fold in table.frame.select("subject", "fold").rows())


def test_members_may_differ_in_what_they_answer():
    """A unit is joined from the members that answer it, and keeps the answer of a single one."""
    first, second = two()
    second = Predictions(second.frame.filter(pl.col("target") == "tear", pl.col("unit") < "s0030"))
    table = joined(members=[first, second])
    units, grade = table.array("grade")
    _, tear = table.array("tear")

    assert study_names(NUM) == units
    assert np.allclose(first.array("grade")[1], grade)
    assert np.allclose(first.array("tear")[1][30:], tear[30:])
    assert np.allclose((first.array("tear")[1][:30] + second.array("tear")[1]) / 2, tear[:30])


def test_row_order_is_irrelevant():
    """Shuffled members give the same table."""
    members = [Predictions(one.frame.sample(fraction=1, shuffle=True, seed=4)) for one in two()]
    expected, ours = joined(), joined(members=members)

    assert expected.frame.sort("unit", "target").equals(ours.frame.sort("unit", "target"))


def test_new_studies_need_no_labels():
    """Parameters learnt once join predictions of studies without labels and folds."""
    named = Named(use="temperature")
    learnt = fit_joiner(named, lay_out(two(), RUBRIC), labels_of(TRUTH))
    table = join_new(named, two(), learnt, RUBRIC, name="final")

    assert {"temperature.grade", "temperature.tear"} == set(learnt)
    assert {("final", "new", None)} == set(table.frame.select("predictor", "role", "fold").rows())


def test_subjects_without_labels_need_no_fold():
    """Units of a subject without labels and fold are joined by what all folds teach."""
    named = Named(use="temperature")
    truth = labels_of(TRUTH)
    some = Labels(truth.frame.filter(pl.col("unit") != "s0003"))
    known = Folds(folds_of(NUM).frame.filter(pl.col("subject") != "ps0003"))
    table = joined(named, labels=some, folds=known)
    learnt = fit_joiner(named, lay_out(two(), RUBRIC), some)
    expected = join_new(named, two(), learnt, RUBRIC, name="x").array("grade")[1][3]

    assert table.frame.filter(pl.col("unit") == "s0003")["fold"].to_list() == [None, None]
    assert expected.tolist() == pytest.approx(table.array("grade")[1][3].tolist())


def test_pseudo_labels_teach_nothing():
    """Only true labels are fitted to."""
    named = Named(use="temperature")
    truth = labels_of(TRUTH)
    guessed = Labels(truth.frame.with_columns(origin=pl.lit("pseudo")))
    learnt = fit_joiner(named, lay_out(two(), RUBRIC), guessed)

    assert [float(value[0]) for value in learnt.values()] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"members": []}, "at least one member"),
        ({"members": two()[:1] * 2}, "names of their own"),
        ({"members": [Predictions.empty()]}, "no rows"),
        ({"folds": Folds.empty()}, "60 subjects with labels have no fold, such as ps0000"),
        ({"named": Named.model_validate({"use": "mean", "weights": {"c": 1}})}, '"c", which is no'),
        ({"named": Named.model_validate({"use": "mean", "weights": {"a": -1}})}, "0 or more"),
        (
            {"named": Named.model_validate({"use": "mean", "weights": {"a": 0, "b": 0}})},
            "every member that answers weighs 0",
        ),
    ],
)
def test_what_cannot_be_joined_is_told(change, words):
    """Each mistake has its own words."""
    with pytest.raises(JoinError, match=words):
        joined(**change)
