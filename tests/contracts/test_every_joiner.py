"""What every joiner of the shelf keeps: it never reads a unit's own fold when fitting."""

from functools import cache
from itertools import product

import numpy as np
import polars as pl
import pytest

from overread.ensembling import apply_joiner, fit_joiner, join, join_new, lay_out
from overread.records import Folds, Labels, Predictions, Rubric, Target
from overread.shelf import Named, names_on_shelf

JOINERS = names_on_shelf("overread.ensembling")
GRADES = ("0", "1", "2")
WEIGHTS = (1.0, 2.0, 4.0)
RUBRIC = Rubric(
    "r",
    "site",
    (
        Target("middle", GRADES, WEIGHTS),
        Target("left", GRADES, WEIGHTS, mirror="right"),
        Target("right", GRADES, WEIGHTS, mirror="left"),
    ),
    ("upper", "lower"),
)
STUDIES = [f"s{index:02d}" for index in range(48)]
UNITS = list(product(RUBRIC.names, STUDIES, RUBRIC.sites))
STUDY = np.array([STUDIES.index(study) for _, study, _ in UNITS])
FOLDS = Folds(pl.DataFrame({"subject": STUDIES, "fold": [one % 3 for one in range(48)]}))
FIXED = {"mean", "geometric", "vote"}  # learn nothing
# Small enough for a contract, and such that what is learnt differs from the mean.
TREES = {"use": "lightgbm_stack", "rounds": 6, "fewest_in_leaf": 8, "rate": 0.2, "inner": 2}
NETWORK = {
    "use": "metric_network",
    "hidden": 3,
    "members": True,
    "seeds": 2,
    "ridges": [0.01, 0.1],
    "steps": 10,
    "inner": 2,
}
QUICK = {
    "lightgbm_stack": TREES,
    "metric_network": {**NETWORK, "any_worst": {"middle": 1.0}},
    "linear_stack": {"use": "linear_stack", "members": True, "ridges": [0.01, 0.1], "inner": 2},
    "neighbour_stack": {
        "use": "neighbour_stack",
        "rounds": 20,
        "patience": 10,
        "rate": 0.1,
        "fewest_in_leaf": 8,
        "inner": 2,
    },
    "blend": {"use": "blend", "joiners": [TREES, NETWORK]},
    "select": {"use": "select", "joiners": [{"use": "mean"}, {"use": "vector"}], "inner": 2},
}


def named(name):
    return Named.model_validate(QUICK.get(name, {"use": name}))


def frame(chances):
    targets, studies, sites = zip(*UNITS, strict=True)
    columns = {"study": studies, "subject": studies, "site": sites, "target": targets}
    unit = [RUBRIC.unit_id(study, site) for _, study, site in UNITS]
    return pl.DataFrame({"unit": unit, **columns, "probabilities": chances.tolist()})


def labels(grades):
    rows = frame(np.eye(3)[grades])
    return Labels(rows.with_columns(weight=pl.lit(1.0), origin=pl.lit("truth")))


def member(name, chances):
    rows = frame(chances / chances.sum(1, keepdims=True))
    extra = {"fold": pl.lit(0, pl.Int64), "predictor": pl.lit(name), "role": pl.lit("oof")}
    return Predictions(rows.with_columns(**extra))


@cache
def world():
    """Truth that runs in studies, and two members that know a little of it."""
    rng = np.random.default_rng(0)
    ill = rng.normal(size=len(STUDIES))[STUDY] + 0.7 * rng.normal(size=len(UNITS))
    grades = (ill > 0).astype(int) + (ill > 1)
    noise = (rng.dirichlet((1, 1, 1), len(UNITS)) for _ in "ab")
    one_hot = np.eye(3)[grades]
    members = [member(name, one + one_hot * 0.5) for name, one in zip("ab", noise, strict=True)]
    return grades, members


def ordered(table):
    order = frame(np.zeros((len(UNITS), 3))).select("unit", "target")
    rows = order.join(table.frame, on=["unit", "target"], how="inner", maintain_order="left")
    return np.array(rows["probabilities"].to_list())


def joined(name, members, truth):
    return ordered(join(named(name), members, truth, FOLDS, RUBRIC))


def with_leak():
    """The world with a member that holds the labels of the first fold, and noise elsewhere."""
    grades, members = world()
    own = STUDY % 3 == 0
    noise = np.random.default_rng(1).dirichlet((1, 1, 1), len(UNITS))
    leaking = np.where(own[:, None], np.eye(3)[grades] + 0.01, noise)
    return grades, [*members, member("leak", leaking)], own


def test_there_are_joiners():
    """The shelf is not empty."""
    assert {"mean", "geometric", "temperature", "select"} <= set(JOINERS)


@pytest.mark.parametrize("name", JOINERS)
def test_own_fold_is_never_read(name):
    """Shuffling the labels of a fold leaves its joined answers bit for bit as they were.

    Those of other folds change where something is learnt.
    """
    grades, members = world()
    before = joined(name, members, labels(grades))
    for fold in range(3):
        own = np.equal(STUDY % 3, fold)
        planted = grades.copy()
        planted[own] = np.random.default_rng(fold).permutation((grades[own] + 1) % 3)
        after = joined(name, members, labels(planted))

        assert before[own].tolist() == after[own].tolist()
        if name not in FIXED:
            assert before[~own].tolist() != after[~own].tolist()


@pytest.mark.parametrize("name", JOINERS)
def test_a_planted_label_does_not_leak(name):
    """A member that holds the labels of one fold, and noise elsewhere, is not believed more there.

    A joiner that reads a unit's own fold would learn in that fold that the member is right. What
    it learns must be what it learns where that fold has no labels at all.
    """
    grades, members, own = with_leak()
    known = labels(grades)
    keep = [STUDIES[index] for index in range(len(STUDIES)) if index % 3]
    elsewhere = Labels(known.frame.filter(pl.col("study").is_in(keep)))

    assert (
        joined(name, members, elsewhere)[own].tolist() == joined(name, members, known)[own].tolist()
    )


@pytest.mark.parametrize("name", sorted(set(JOINERS) - FIXED))
def test_the_planted_label_is_worth_a_leak(name):
    """A joiner fitted on the planted fold itself does gain: so the test above could fail."""
    grades, members, own = with_leak()
    inside = [Predictions(one.frame.filter(pl.Series(own))) for one in members]
    known = Labels(labels(grades).frame.filter(pl.Series(own)))
    learnt = fit_joiner(named(name), lay_out(inside, RUBRIC), known)
    cheating = ordered(join_new(named(name), inside, learnt, RUBRIC, name="cheat"))
    honest = joined(name, members, labels(grades))[own]

    assert loss(cheating, grades[own]) < loss(honest, grades[own])


def loss(chances, grades):
    return -(np.array(WEIGHTS)[grades] * np.log(chances[np.arange(len(grades)), grades])).mean()


@pytest.mark.parametrize("name", JOINERS)
def test_parameters_are_plain_arrays_that_apply_alone(name):
    """What was learnt is a dict of arrays; applied to units, it gives probabilities of each."""
    grades, members = world()
    book = lay_out(members, RUBRIC)
    learnt = fit_joiner(named(name), book, labels(grades))
    few = book.take({target: np.arange(5) for target in RUBRIC.names})
    answers = apply_joiner(named(name), few, learnt)

    assert all(isinstance(value, np.ndarray) for value in learnt.values())
    assert [pytest.approx([1.0] * 5)] * 3 == [one.sum(1).tolist() for one in answers.values()]


@pytest.mark.parametrize("name", sorted(set(JOINERS) - {"temperature"}))
def test_a_mirrored_study_gets_the_mirrored_answer(name):
    """Left and right exchanged in what members say exchanges the answers, and changes no other.

    `temperature` alone learns each target by itself.
    """
    grades, members = world()
    learnt = fit_joiner(named(name), lay_out(members, RUBRIC), labels(grades))
    swap = pl.col("target").replace({"left": "right", "right": "left"})
    mirrored = [Predictions(one.frame.with_columns(target=swap)) for one in members]
    plain, other = (
        apply_joiner(named(name), lay_out(one, RUBRIC), learnt) for one in (members, mirrored)
    )

    assert np.allclose(plain["left"], other["right"], rtol=0, atol=1e-12)
    assert np.allclose(plain["middle"], other["middle"], rtol=0, atol=1e-12)
