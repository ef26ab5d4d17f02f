"""Decisions: the option that costs least, learnt outside the fold that it is made in."""

import numpy as np
import polars as pl
import pytest
from joining_tables import RUBRIC, folds_of, labels_of, member, softmax
from pydantic import ValidationError

from overread.ensembling import DecisionSpec, apply_decisions, decisions_out_of_fold, fit_decisions
from overread.ensembling.decisions import decided_targets
from overread.records import Labels, RecordError
from overread.scoring import decision_costs

NUM = 1200
COSTS = {"0": (0, 1), "1": (2, 1), "2": (8, 0.5)}
SPEC = DecisionSpec(options=("wait", "refer"), costs=COSTS)


def world(seed=0):
    """Truth drawn from honest probabilities, and the same probabilities under weights 1, 2, 4."""
    rng = np.random.default_rng(seed)
    honest = softmax(rng.normal(size=(NUM, 3)) * 1.5 + np.array([2.0, 0.5, 0.0]))
    truth = (rng.random((NUM, 1)) > honest.cumsum(1)).sum(1)
    leaning = honest * np.array([1, 2, 4])
    return {"grade": truth}, honest, leaning / leaning.sum(1, keepdims=True)


TRUTH, HONEST, LEANING = world()
LABELS = labels_of(TRUTH)


def options(spec, chances, rule, learnt=None):
    table = apply_decisions(spec, member("m", {"grade": chances}), learnt or {}, RUBRIC)
    return table.filter(pl.col("rule") == rule).sort("unit")["option"].to_list()


def test_expected_costs_by_hand():
    """Without anything learnt, the option with the smaller sum of cost times probability."""
    chances = np.array([[0.8, 0.15, 0.05], [0.9, 0.09, 0.01], [0.2, 0.7, 0.1]])

    # waiting: 0.3 + 0.4 = 0.7 against 0.8 + 0.15 + 0.025; 0.26 against 0.995; 2.2 against 0.95
    assert options(SPEC, chances, "least expected cost") == ["wait", "wait", "refer"]
    assert options(SPEC, chances, "most probable grade") == ["wait", "wait", "refer"]
    high = np.array([[0.7, 0.15, 0.15]])
    assert options(SPEC, high, "least expected cost") == ["refer"]
    assert options(SPEC, high, "most probable grade") == ["wait"]


def test_weights_are_straightened():
    """Probabilities that were trained under weights are given back what the weights took."""
    learnt = fit_decisions(SPEC, member("m", {"grade": LEANING}), LABELS, RUBRIC)
    shift = learnt["shift.grade"]

    assert float(learnt["slope.grade"][0]) == pytest.approx(1.0, abs=0.15)
    assert shift.tolist() == pytest.approx([0, -np.log(2), -np.log(4)], abs=0.25)
    expected = options(SPEC, HONEST, "probabilities as said")
    found = options(SPEC, LEANING, "least expected cost", learnt)
    same = np.mean([one == other for one, other in zip(expected, found, strict=True)])
    assert same > 0.97


def test_costs_out_of_fold():
    """Straightened decisions cost less than others, and much less than one answer for all."""
    ours = member("m", {"grade": LEANING})
    decided = decisions_out_of_fold(SPEC, ours, LABELS, folds_of(NUM), RUBRIC)
    table = decision_costs(decided, against="most probable grade", bootstrap=200)
    cost = dict(table.select("rule", "cost").iter_rows())
    best = table.row(by_predicate=pl.col("rule") == "least expected cost", named=True)

    assert set(cost) == {
        "least expected cost",
        "probabilities as said",
        "most probable grade",
        "commonest grade",
        "cheapest for all",
    }
    assert min(cost, key=cost.get) == "least expected cost"
    assert cost["least expected cost"] < 0.9 * cost["cheapest for all"]
    assert cost["cheapest for all"] <= cost["commonest grade"]
    assert best["saved"] == pytest.approx(cost["most probable grade"] - best["cost"])
    assert best["saved_low"] < best["saved"] < best["saved_high"]
    assert best["n"] == NUM


def test_a_fold_teaches_itself_nothing():
    """Other labels in a fold change what the other folds decide, never what it decides itself."""
    ours = member("m", {"grade": LEANING})
    inside = pl.col("unit").str.slice(1).cast(pl.Int64) % 4 == 1
    worst = pl.when(inside).then(pl.lit([0.0, 0.0, 1.0])).otherwise("probabilities")
    other = Labels(LABELS.frame.with_columns(probabilities=worst))
    before, after = (
        decisions_out_of_fold(SPEC, ours, labels, folds_of(NUM), RUBRIC)
        .select("rule", "unit", "option")
        .sort("rule", "unit")
        for labels in (LABELS, other)
    )

    assert before.filter(inside).equals(after.filter(inside))
    assert not before.equals(after)


def test_few_labels_teach_nothing():
    """With fewer graded units than `fewest`, and without `straighten`, probabilities stay."""
    for more in ({"fewest": NUM + 1}, {"straighten": False}):
        spec = DecisionSpec(options=SPEC.options, costs=COSTS, **more)
        learnt = fit_decisions(spec, member("m", {"grade": LEANING}), LABELS, RUBRIC)

        assert learnt["slope.grade"].tolist() == [1.0]
        assert learnt["shift.grade"].tolist() == [0.0, 0.0, 0.0]


def test_units_without_truth_have_no_cost():
    """An ungraded unit is decided about, but its cost is null and counts for nothing."""
    some = Labels(LABELS.frame.head(NUM - 10))
    decided = decisions_out_of_fold(
        SPEC, member("m", {"grade": LEANING}), some, folds_of(NUM), RUBRIC
    )
    table = decision_costs(decided, against="most probable grade", bootstrap=10)

    assert decided["cost"].null_count() == 10 * 5
    assert set(table["n"]) == {NUM - 10}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"costs": {"0": (0, 1), "1": (1,)}},
            "1 has 1 costs, expected 2, one for each of wait, re",
        ),
        ({"costs": {"0": (0, 1), "1": (1, -1)}}, r"costs of 1 are \[1.0, -1.0\], expected 0 or"),
        ({"options": ("wait", "wait")}, "names of their own"),
        ({"options": ("wait",)}, "at least 2"),
    ],
)
def test_tables_of_costs_that_are_none(change, words):
    """Costs have the shape of grades by options, and are not negative."""
    with pytest.raises(ValidationError, match=words):
        DecisionSpec(**{"options": ("wait", "refer"), "costs": COSTS, **change})


def test_targets_that_are_decided():
    """All targets whose grades have costs are decided about; others must not be asked for."""
    assert [one.name for one in decided_targets(SPEC, RUBRIC)] == ["grade"]
    for targets, words in (
        (("tear",), "tear has grades without costs: no, yes"),
        (("grades",), 'no target "grades"; did you mean "grade"'),
    ):
        with pytest.raises(RecordError, match=words):
            decided_targets(SPEC.model_copy(update={"targets": targets}), RUBRIC)
    alien = DecisionSpec(options=("a", "b"), costs={"x": (0, 1), "y": (1, 0)})
    with pytest.raises(RecordError, match="no target has all its grades among x, y"):
        decided_targets(alien, RUBRIC)


def test_no_rule_to_compare_with():
    """A rule that nobody followed is refused with those that there are."""
    decided = decisions_out_of_fold(
        SPEC, member("m", {"grade": LEANING}), LABELS, folds_of(NUM), RUBRIC
    )

    with pytest.raises(RecordError, match='no rule "argmax" to compare with, found least'):
        decision_costs(decided, against="argmax")
