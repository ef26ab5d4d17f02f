"""What each member adds: differences to the ensemble, paired on the same units."""

import polars as pl
import pytest
from joining_tables import RUBRIC, folds_of, labels_of, member, noisy, truths

from overread.ensembling import join, member_effects
from overread.records import Predictions
from overread.scoring import compare
from overread.shelf import Named

NUM = 200
TRUTH = truths(NUM)
LABELS = labels_of(TRUTH)
GOOD, BAD = (
    member(name, noisy(TRUTH, seed=seed, skill=skill))
    for name, seed, skill in (("good", 1, 2.0), ("bad", 2, -1.0))
)
LOSS = [Named(use="log_loss")]


def mean(members):
    return join(Named(use="mean"), members, LABELS, folds_of(NUM), RUBRIC)


def effects(members):
    table = member_effects(mean, members, LABELS, RUBRIC, LOSS, bootstrap=100)
    whole = table.filter(pl.col("target").is_null(), pl.col("slice").is_null())
    return {(row["member"], row["kind"]): row for row in whole.iter_rows(named=True)}


def test_a_good_and_a_bad_member():
    """The loss rises without a member that helps, and falls without one that harms."""
    found = effects([GOOD, BAD])

    assert set(found) == {(m, k) for m in ("good", "bad") for k in ("left out", "alone")}
    assert found["good", "left out"]["low"] > 0 > found["bad", "left out"]["high"]
    assert found["bad", "alone"]["low"] > 0 > found["good", "alone"]["high"]


def test_differences_are_those_of_a_paired_comparison():
    """Left out, of two members, is the other one against both."""
    expected = compare(RUBRIC, LABELS, (BAD, mean([GOOD, BAD])), LOSS, bootstrap=100).frame.row(0)

    assert effects([GOOD, BAD])["good", "left out"]["value"] == pytest.approx(expected[4])


def test_one_member():
    """A single member cannot be left out; alone it is the ensemble."""
    found = effects([GOOD])

    assert list(found) == [("good", "alone")]
    assert found["good", "alone"]["value"] == pytest.approx(0)


def test_members_that_answer_some_targets():
    """A member is compared on the targets that it answers."""
    part = Predictions(BAD.frame.filter(pl.col("target") == "tear"))
    table = member_effects(mean, [GOOD, part], LABELS, RUBRIC, LOSS, bootstrap=0)
    alone = table.filter(pl.col("member") == "bad", pl.col("kind") == "alone")

    assert alone["target"].drop_nulls().unique().to_list() == ["tear"]
