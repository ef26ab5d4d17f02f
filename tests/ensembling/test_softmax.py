"""Penalised softmax regression finds the minimum of its loss."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from overread.ensembling.softmax import fit_softmax, log_softmax


def data(num=400):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(num, 3))
    grades = (features @ [1.0, -0.5, 0.0] + rng.normal(size=num) > 0.5) * 1
    grades += features[:, 2] > 1
    return features, np.eye(3)[grades], grades


def test_equals_scikit_learn():
    """With the same penalty the coefficients are those of scikit-learn."""
    features, parts, grades = data()
    ours = fit_softmax(features, np.zeros((400, 3)), parts, np.full((3, 3), 0.02))
    theirs = LogisticRegression(C=1 / (0.02 * 400), fit_intercept=False, tol=1e-8)
    theirs.fit(features, grades)

    assert pytest.approx(theirs.coef_, abs=2e-3) == ours.T


def test_infinite_penalty_keeps_an_entry_at_zero():
    """Entries that are not free stay 0, the others move."""
    features, parts, _ = data()
    penalty = np.where(np.eye(3, dtype=bool), 0.01, np.inf)
    matrix = fit_softmax(features, np.zeros((400, 3)), parts, penalty)

    assert (matrix[~np.eye(3, dtype=bool)] == 0).all()
    assert (np.diag(matrix) != 0).all()


def test_a_strong_penalty_leaves_the_offset():
    """Drawn hard to 0, the answer is the offset."""
    features, parts, _ = data()
    matrix = fit_softmax(features, np.zeros((400, 3)), parts, np.full((3, 3), 1e6))

    assert np.abs(matrix).max() < 1e-5


def test_log_softmax_of_large_logits():
    """Logits of a thousand do not overflow."""
    assert log_softmax(np.array([[1000.0, 0.0]])).tolist() == [[0.0, -1000.0]]
