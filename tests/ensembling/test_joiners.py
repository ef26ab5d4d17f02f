"""What each joiner computes."""

import numpy as np
import polars as pl
import pytest
from joining_tables import RUBRIC, folds_of, labels_of, member, noisy, truths

from overread.datasets import rsna2024_lumbar as lumbar
from overread.ensembling import fit_joiner, join, lay_out
from overread.records import Folds
from overread.scoring import compare, evaluate
from overread.shelf import Named

NUM = 400
TRUTH = truths(NUM)
FIRST, SECOND = (member(name, noisy(TRUTH, seed=seed)) for name, seed in (("a", 1), ("b", 2)))


def joined(members, **settings):
    named = Named.model_validate(settings)
    return join(named, members, labels_of(TRUTH), folds_of(NUM), RUBRIC).array("grade")[1]


def test_mean_with_weights():
    """Weights 3 and 1 give three quarters of the first and one of the second."""
    expected = 0.75 * FIRST.array("grade")[1] + 0.25 * SECOND.array("grade")[1]

    assert np.allclose(expected, joined([FIRST, SECOND], use="mean", weights={"a": 3, "b": 1}))


def test_geometric_is_the_mean_of_logits():
    """The geometric mean is the softmax of the mean of the logarithms."""
    logs = (np.log(FIRST.array("grade")[1]) + np.log(SECOND.array("grade")[1])) / 2
    expected = np.exp(logs) / np.exp(logs).sum(1, keepdims=True)

    assert np.allclose(expected, joined([FIRST, SECOND], use="geometric"))


def test_a_zero_does_not_veto_without_end():
    """A probability of zero counts as the floor."""
    sure = {name: np.eye(len(RUBRIC.target(name).grades))[grades] for name, grades in TRUTH.items()}
    table = joined([FIRST, member("sure", sure)], use="geometric", floor=1e-3)

    assert np.isfinite(table).all()
    assert table.min() > 1e-3 * FIRST.array("grade")[1].min()


@pytest.mark.parametrize("use", ["mean", "geometric", "temperature"])
def test_one_member_is_itself(use):
    """Of one member, the joined table is that member (at temperature 1)."""
    more = {"low": 0.999999, "high": 1.000001} if use == "temperature" else {}
    expected = FIRST.array("grade")[1]

    assert np.allclose(expected, joined([FIRST], use=use, **more), atol=1e-5)


def test_temperature_undoes_overconfidence():
    """Logits that are three times too sharp are given a temperature near three."""
    truth = truths(4000)
    fair = noisy(truth, seed=5)
    # Draw the truth from the probabilities, so that they are calibrated by construction.
    rng = np.random.default_rng(6)
    drawn = {name: (rng.random((4000, 1)) > one.cumsum(1)).sum(1) for name, one in fair.items()}
    sharp = {name: one**3 / (one**3).sum(1, keepdims=True) for name, one in fair.items()}
    named = Named.model_validate({"use": "temperature", "weighted": False, "floor": 1e-12})
    learnt = fit_joiner(named, lay_out([member("a", sharp)], RUBRIC), labels_of(drawn))

    assert pytest.approx([float(one[0]) for one in learnt.values()], rel=0.06) == [3.0, 3.0]


def test_temperature_keeps_the_chosen_grade():
    """A temperature never changes which grade is the most probable."""
    mean = joined([FIRST, SECOND], use="mean").argmax(1)

    assert mean.tolist() == joined([FIRST, SECOND], use="temperature").argmax(1).tolist()


def test_few_labels_teach_no_temperature():
    """With fewer graded units than `fewest` the temperature stays 1."""
    expected = joined([FIRST], use="mean")

    assert np.allclose(expected, joined([FIRST], use="temperature", fewest=NUM), atol=1e-12)


@pytest.fixture(scope="module")
def real(real_data):
    """Seven real members with labels and folds."""
    folder = real_data / "lumbar_rsna2024"
    spec = lumbar.Spec()
    table = pl.read_csv(folder / "labels" / "folds_yu4u.csv", infer_schema=False)
    members = [
        lumbar.read_submission(spec, path, path.name.removesuffix(".csv.gz"))
        for path in sorted((folder / "oof_yu4u").glob("*.gz"))
    ]
    folds = Folds(table.rename({"study_id": "subject", "fold_id": "fold"}))
    return members, lumbar.read_labels(spec, folder / "labels"), folds, lumbar.rubric(spec)


OFFICIAL = Named(use="rsna2024_lumbar")


def official(real, table):
    _, labels, folds, rubric = real
    scores = evaluate(rubric, labels, table, [OFFICIAL], folds=folds, bootstrap=0, floors=False)
    return scores.frame["value"][0]


def test_the_mean_of_real_members(real):
    """The mean of seven real members scores what their authors' own blend scores."""
    assert official(real, join(Named(use="mean"), *real)) == pytest.approx(0.38592, abs=1e-5)


def test_vector_scaling_of_real_members(real):
    """Vector scaling of a condition, fitted outside each fold, scores as a plain implementation."""
    assert official(real, join(Named(use="vector"), *real)) == pytest.approx(0.3839, abs=5e-4)


@pytest.mark.parametrize(
    "settings", [{"use": "temperature"}, {"use": "linear_stack", "ridges": [0.003]}]
)
def test_joiners_are_better_than_the_mean_of_real_members(real, settings):
    """On seven real members the gain over the mean is small, and larger than chance."""
    _, labels, _, rubric = real
    tables = (
        join(Named.model_validate(one), *real, name=one["use"])
        for one in (settings, {"use": "mean"})
    )
    change = compare(rubric, labels, tuple(tables), [OFFICIAL]).frame.row(0, named=True)

    assert -0.006 < change["value"] < -0.002
    assert change["low"] < change["value"] < change["high"] < 0
