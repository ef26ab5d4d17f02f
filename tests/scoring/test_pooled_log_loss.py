"""One mean over all answers: scikit-learn's, and not the mean of the targets' means."""

import numpy as np
import pytest
from graded_tables import RUBRIC, arrays, tables
from sklearn.metrics import log_loss

from overread.records import Predictions
from overread.scoring import score
from overread.shelf import Named

POOLED = Named(use="pooled_log_loss")


def _losses(labels, predictions) -> tuple[np.ndarray, np.ndarray]:
    """The loss and the weight of every answer of every target."""
    losses, weights = [], []
    for target in RUBRIC.targets:
        truth, chances = arrays(labels, predictions, target.name)
        losses.append(-np.log(chances[np.arange(len(truth)), truth]))
        weights.append(np.array(target.weights, float)[truth])
    return np.concatenate(losses), np.concatenate(weights)


@pytest.mark.parametrize("weighted", [True, False])
def test_is_one_weighted_mean_over_all_answers(weighted) -> None:
    """Every answer counts by the weight of its true grade, or all alike."""
    labels, predictions = tables(seed=4)
    losses, weights = _losses(labels, predictions)
    expected = np.average(losses, weights=weights if weighted else None)

    found = score(Named(use="pooled_log_loss", weighted=weighted), labels, predictions, RUBRIC)
    assert [(one.target, one.slice, one.n) for one in found] == [(None, None, len(losses))]
    assert found[0].value == pytest.approx(expected, abs=1e-12)


def test_of_one_target_it_is_scikit_learns() -> None:
    """Where all answers are of one target, the pot holds what `log_loss` measures."""
    labels, predictions = tables(seed=5)
    only = Predictions(predictions.frame.filter(target="kind"))
    truth, chances = arrays(labels, only, "kind")

    found = score(POOLED, labels, only, RUBRIC)[0].value
    assert found == pytest.approx(log_loss(truth, chances, labels=[0, 1, 2]), abs=1e-12)


def test_differs_from_the_mean_of_targets() -> None:
    """A target of more weight pulls the pot towards itself."""
    labels, predictions = tables(seed=6)
    mean = score(Named(use="log_loss"), labels, predictions, RUBRIC)[0].value

    assert abs(mean - score(POOLED, labels, predictions, RUBRIC)[0].value) > 0.01
