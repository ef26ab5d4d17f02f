"""What every joiner of the shelf keeps: it never reads a unit's own fold when fitting."""

import numpy as np
import polars as pl
import pytest

from overread.ensembling import apply_joiner, fit_joiner, join, lay_out
from overread.records import Folds, Labels, Predictions, Rubric, Target
from overread.shelf import Named, names_on_shelf

JOINERS = names_on_shelf("overread.ensembling")
RUBRIC = Rubric("r", "study", (Target("grade", ("0", "1", "2"), (1.0, 2.0, 4.0)),))
NUM = 120


def frame(chances):
    names = [f"s{index:03d}" for index in range(NUM)]
    return pl.DataFrame(
        {
            "unit": names,
            "study": names,
            "subject": names,
            "site": pl.Series([None] * NUM, dtype=pl.String),
            "target": ["grade"] * NUM,
            "probabilities": chances.tolist(),
        }
    )


def labels(grades):
    rows = frame(np.eye(3)[grades])
    return Labels(rows.with_columns(weight=pl.lit(1.0), origin=pl.lit("truth")))


def member(name, chances):
    rows = frame(chances / chances.sum(1, keepdims=True))
    extra = {"fold": pl.lit(0, pl.Int64), "predictor": pl.lit(name), "role": pl.lit("oof")}
    return Predictions(rows.with_columns(**extra))


def world():
    """Truth, two members that know a little of it, and three folds."""
    rng = np.random.default_rng(0)
    grades = rng.integers(3, size=NUM)
    members = [
        member(name, rng.dirichlet((1, 1, 1), NUM) + np.eye(3)[grades] * 0.5) for name in ("a", "b")
    ]
    subjects = [f"s{index:03d}" for index in range(NUM)]
    fold = [index % 3 for index in range(NUM)]
    return grades, members, Folds(pl.DataFrame({"subject": subjects, "fold": fold}))


def test_there_are_joiners():
    """The shelf is not empty."""
    assert {"mean", "geometric", "temperature"} <= set(JOINERS)


@pytest.mark.parametrize("name", JOINERS)
def test_own_fold_is_never_read(name):
    """Changing every label of a fold leaves the joined answers of that fold as they were."""
    grades, members, folds = world()
    before = join(Named(use=name), members, labels(grades), folds, RUBRIC).array("grade")[1]
    for fold in range(3):
        planted = grades.copy()
        own = np.arange(NUM) % 3 == fold
        planted[own] = (planted[own] + 1) % 3
        after = join(Named(use=name), members, labels(planted), folds, RUBRIC).array("grade")[1]

        assert before[own].tolist() == after[own].tolist()


@pytest.mark.parametrize("name", JOINERS)
def test_a_planted_label_does_not_leak(name):
    """A member that holds the labels of one fold, and noise elsewhere, is not believed more there.

    A joiner that reads a unit's own fold would learn in that fold that the member is right. What
    it learns must be what it learns where that fold has no labels at all.
    """
    grades, members, folds = world()
    own = np.arange(NUM) % 3 == 0
    rng = np.random.default_rng(1)
    leaking = np.where(own[:, None], np.eye(3)[grades] + 0.01, rng.dirichlet((1, 1, 1), NUM))
    members = [*members, member("leak", leaking)]
    known = labels(grades)
    keep = [f"s{index:03d}" for index in np.flatnonzero(~own)]
    elsewhere = Labels(known.frame.filter(pl.col("unit").is_in(keep)))
    with_labels = join(Named(use=name), members, known, folds, RUBRIC).array("grade")[1]
    without = join(Named(use=name), members, elsewhere, folds, RUBRIC).array("grade")[1]

    assert without[own].tolist() == with_labels[own].tolist()


@pytest.mark.parametrize("name", JOINERS)
def test_parameters_are_plain_arrays_that_apply_alone(name):
    """What was learnt is a dict of arrays; applied to units, it gives probabilities of each."""
    grades, members, _ = world()
    book = lay_out(members, RUBRIC)
    learnt = fit_joiner(Named(use=name), book, labels(grades))
    joined = apply_joiner(Named(use=name), book.take({"grade": np.arange(5)}), learnt)["grade"]

    assert all(isinstance(value, np.ndarray) for value in learnt.values())
    assert pytest.approx(joined.sum(1).tolist()) == [1.0] * 5
