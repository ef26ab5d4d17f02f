"""Members that are over-confident are calibrated, and those that know nothing are dropped."""

import numpy as np
import pytest
from joining_tables import RUBRIC, folds_of, labels_of, member, noisy, truths

from overread.ensembling import fit_joiner, join, lay_out, member_verdicts
from overread.ensembling.sheets import truths_of
from overread.ensembling.verdicts import Doubt, judge_members, set_right
from overread.shelf import Named

NUM = 600
TRUTH = truths(NUM)
LABELS = labels_of(TRUTH)
FAIR = member("fair", noisy(TRUTH, seed=1, skill=1.0))
SHARP = member("sharp", noisy(TRUTH, seed=2, skill=1.0, sharpness=4.0))
BLIND = member("blind", noisy(TRUTH, seed=3, skill=0.0, sharpness=3.0))
FEW = member("few", noisy(TRUTH, seed=4), keep=range(20))
DOUBT = Doubt(weighted=False)


def verdicts(*members, doubt=DOUBT):
    return member_verdicts(members, LABELS, folds_of(NUM), RUBRIC, doubt)


def test_verdicts_with_reasons():
    """Each member has its verdict, losses before and after, and a reason in words."""
    table = verdicts(FAIR, SHARP, BLIND, FEW).filter(condition="grade")
    rows = {row["member"]: row for row in table.iter_rows(named=True)}

    assert {name: row["verdict"] for name, row in rows.items()} == {
        "fair": "kept",
        "sharp": "calibrated",
        "blind": "dropped",
        "few": "kept",
    }
    assert rows["sharp"]["temperature"] == pytest.approx(4.0, rel=0.15)
    assert rows["sharp"]["loss_after"] < rows["sharp"]["loss_before"] - 0.1
    assert "over-confident: temperature" in rows["sharp"]["reason"]
    assert "no better than the prior" in rows["blind"]["reason"]
    assert rows["few"]["loss_after"] is None
    assert "20 graded units, fewer than 50" in rows["few"]["reason"]


def test_members_that_know_nothing_can_be_kept():
    """Without leave to drop, a member that knows nothing is calibrated to the prior."""
    table = verdicts(BLIND, doubt=Doubt(weighted=False, drop=False))

    assert table["verdict"].to_list() == ["calibrated"] * 2


def test_calibrated_makes_the_mean_better():
    """The mean of members that were set right is better than the mean of all as they are."""
    members, folds = (FAIR, SHARP, BLIND), folds_of(NUM)
    grades = TRUTH["grade"]

    def loss(**settings):
        named = Named.model_validate(settings)
        chances = join(named, members, LABELS, folds, RUBRIC).array("grade")[1]
        return -np.log(chances[np.arange(NUM), grades]).mean()

    right = {"use": "calibrated", "doubt": {"weighted": False}}

    assert loss(**right) < loss(use="mean") - 0.05


def test_what_is_set_right_is_kept_apart():
    """Temperatures and what the joiner behind learns have names of their own."""
    named = Named.model_validate({"use": "calibrated", "then": {"use": "temperature"}})
    learnt = fit_joiner(named, lay_out([FAIR, SHARP], RUBRIC), LABELS)

    assert set(learnt) == {
        "right.grade",
        "right.tear",
        "then.temperature.grade",
        "then.temperature.tear",
    }


def test_somebody_answers_every_unit():
    """A unit that only a dropped member answers keeps that member's answer."""
    some = member("fair", noisy(TRUTH, seed=1, skill=1.0), keep=range(NUM - 10))
    book = lay_out([some, BLIND], RUBRIC)
    right = set_right(book, judge_members(DOUBT, book, truths_of(book, LABELS)))
    present = right.sheet("grade").present

    assert present[1].tolist() == [False] * (NUM - 10) + [True] * 10
    assert present.any(axis=0).all()
