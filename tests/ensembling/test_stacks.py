"""What joiners that learn more than a number find in planted truth."""

import numpy as np
import pytest
from joining_tables import RUBRIC, folds_of, labels_of, member, noisy, softmax, truths

from overread.ensembling import JoinError, fit_joiner, join, lay_out
from overread.ensembling.judging import judge_of
from overread.ensembling.sheets import truths_of
from overread.shelf import Named

NUM = 300
TRUTH = truths(NUM)
LABELS = labels_of(TRUTH)
GOOD, POOR = (
    member(name, noisy(TRUTH, seed=seed, skill=skill))
    for name, seed, skill in (("good", 1, 2.0), ("poor", 2, 0.0))
)


def learnt(members=(GOOD, POOR), labels=LABELS, **settings):
    return fit_joiner(Named.model_validate(settings), lay_out(members, RUBRIC), labels)


def loss(members=(GOOD, POOR), **settings):
    named = Named.model_validate(settings)
    table = join(named, members, LABELS, folds_of(NUM), RUBRIC)
    book = lay_out([table], RUBRIC)
    judge = judge_of(None, book, truths_of(book, LABELS))
    return judge({sheet.target.name: sheet.probabilities[0] for sheet in book})


@pytest.mark.parametrize("search", ["convex", "greedy"])
def test_weights_find_the_member_that_knows(search):
    """Of one member that knows and one that guesses, nearly all weight goes to the first."""
    found = learnt(use="weighted", search=search)

    assert found["weights.grade"].sum() == pytest.approx(1)
    assert found["weights.grade"][0] > 0.85
    assert loss(use="weighted", search=search) < loss(use="mean") - 0.02


def test_weights_are_searched_on_a_metric():
    """With a metric of the shelf, the weights are those that are best for it."""
    found = learnt(use="weighted", metric={"use": "auc"})

    assert found["weights.tear"][0] > 0.6


def test_equal_members_keep_equal_weights():
    """Of two members that are the same, no search is better than the mean."""
    twin = member("twin", noisy(TRUTH, seed=1, skill=2.0))

    assert learnt((GOOD, twin), use="weighted")["weights.grade"].tolist() == [0.5, 0.5]


def test_a_unit_of_members_without_weight_is_answered():
    """A unit that only a member of weight 0 answers gets that member's answer."""
    some = member("good", noisy(TRUTH, seed=1, skill=2.0), keep=range(NUM - 20))
    table = join(Named(use="weighted"), (some, POOR), LABELS, folds_of(NUM), RUBRIC)

    assert np.allclose(POOR.array("grade")[1][-20:], table.array("grade")[1][-20:])


@pytest.mark.parametrize("use", ["vector", "dirichlet"])
def test_scaling_finds_slope_and_shift(use):
    """Slopes and shifts between what a member says and how truth is drawn are found."""
    num = 3000
    rng = np.random.default_rng(0)
    logs = np.log(rng.dirichlet((1, 1, 1), num))
    right = softmax(logs * (0.5, 0.7, 1.0) + (0.0, 1.0, -1.0))
    grades = (rng.random((num, 1)) > right.cumsum(1)).sum(1)
    found = learnt(
        [member("a", {"grade": np.exp(logs)})],
        labels_of({"grade": grades}),
        use=use,
        weighted=False,
        ridge=1e-6,
    )["matrix.grade"]
    ours = softmax(logs + np.concatenate([logs, np.ones((num, 1))], axis=1) @ found)

    assert np.abs(ours - right).mean() < 0.02
    assert np.abs(np.exp(logs) - right).mean() > 0.1


def test_select_takes_what_is_better_on_inner_folds():
    """Where members are over-confident, a temperature is chosen over the mean; else the mean is."""
    sharp = member("sharp", noisy(TRUTH, seed=3, sharpness=4.0))
    settings = {"use": "select", "joiners": [{"use": "mean"}, {"use": "temperature"}]}

    assert learnt([sharp], **settings)["chosen"].tolist() == [1.0]
    assert learnt([sharp], **settings, margin=100.0)["chosen"].tolist() == [0.0]


def test_blend_is_the_geometric_mean():
    """The blend of the plain and the geometric mean lies between them, by their logarithms."""
    named = [Named(use="mean"), Named(use="geometric")]
    folds = folds_of(NUM)
    plain = [join(one, (GOOD, POOR), LABELS, folds, RUBRIC).array("grade")[1] for one in named]
    both = Named.model_validate(
        {"use": "blend", "joiners": [{"use": "mean"}, {"use": "geometric"}]}
    )
    ours = join(both, (GOOD, POOR), LABELS, folds, RUBRIC).array("grade")[1]
    logs = np.mean(np.log(plain), axis=0)

    assert np.allclose(softmax(logs), ours)


STACKS = [
    {"use": "linear_stack", "ridges": [0.01]},
    {"use": "metric_network", "ridges": [0.01], "hidden": 4, "seeds": 1},
    {"use": "lightgbm_stack", "rounds": 30, "rate": 0.1, "fewest_in_leaf": 20},
]


@pytest.mark.parametrize("settings", STACKS, ids=lambda one: one["use"])
def test_stacks_use_the_member_that_knows_and_the_context(settings):
    """A stack is better than the mean, and better still where another target tells the truth."""
    telling = dict(TRUTH)
    # The tear follows from the grade: whoever sees the grade of the unit knows more of the tear.
    telling["tear"] = (telling["grade"] > 0).astype(int)
    labels = labels_of(telling)
    members = [
        member(
            "a",
            {**noisy(telling, seed=1, skill=3.0), "tear": noisy(TRUTH, seed=5, skill=0.0)["tear"]},
        )
    ]
    folds = folds_of(NUM)

    def tear(**more):
        named = Named.model_validate({**settings, **more})
        table = join(named, members, labels, folds, RUBRIC)
        chances = table.array("tear")[1]
        return -np.log(chances[np.arange(NUM), telling["tear"]]).mean()

    assert tear(around=["conditions"]) < tear(around=[]) - 0.1


def test_any_worst_names_a_condition():
    """An event of a condition that is not there is refused, with the nearest name."""
    with pytest.raises(JoinError, match='"grad" is no condition; did you mean "grade"'):
        learnt(use="metric_network", any_worst={"grad": 1.0})


def test_the_network_without_hidden_layer_is_linear():
    """With no hidden units and no event, the network is the linear stack."""
    linear = learnt(use="linear_stack", ridges=[0.01])["matrix.grade"]
    network = learnt(use="metric_network", ridges=[0.01], hidden=0, steps=300)["linear.grade"][0]

    assert network == pytest.approx(linear, abs=2e-3)
