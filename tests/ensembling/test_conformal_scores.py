"""Scores of grades: what each counts, by hand."""

import numpy as np
import pytest

from overread.ensembling.conformal_scores import SCORES, without_gaps

CHANCES = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]])
EXPECTED = {
    "plain": [[0.9, 0.4, 0.7], [0.5, 0.8, 0.7]],
    "adaptive": [[0.95, 0.3, 0.75], [0.25, 0.9, 0.65]],
    # From the second row's mildest grade the run must pass the middle one to reach the worst.
    "ordinal": [[0.95, 0.3, 0.75], [0.25, 0.6, 0.85]],
    "cumulative": [[0.9, 0.3, 0.7], [0.5, 0.5, 0.7]],
}


@pytest.mark.parametrize("name", sorted(SCORES))
def test_scores_by_hand(name):
    """Each score is what its definition gives for two units."""
    assert np.allclose(EXPECTED[name], SCORES[name](CHANCES))


@pytest.mark.parametrize("name", sorted(SCORES))
def test_the_most_probable_grade_fits_best(name):
    """No grade has a lower score than the most probable one, where that has the majority."""
    chances = np.random.default_rng(0).dirichlet(np.ones(5) / 3, size=400)
    chances = chances[chances.max(axis=1) > 0.5]
    scores = SCORES[name](chances)

    assert len(chances) > 100
    assert scores.argmin(axis=1).tolist() == chances.argmax(axis=1).tolist()
    assert 0 <= scores.min() <= scores.max() <= 1


@pytest.mark.parametrize("name", ["cumulative", "ordinal"])
def test_ordered_scores_rise_with_distance(name):
    """Away from the best grade, scores of ordered grades never fall, so sets have no gaps."""
    chances = np.random.default_rng(1).dirichlet(np.ones(5), size=300)
    for row in SCORES[name](chances):
        best = int(row.argmin())

        assert (np.diff(row[best:]) >= -1e-12).all()
        assert (np.diff(row[: best + 1]) <= 1e-12).all()


def test_gaps_are_closed():
    """Grades between two grades of a set join it; others stay out."""
    holds = np.array([[False, True, False, True, False], [False, False, True, False, False]])

    assert [[False, True, True, True, False], holds[1].tolist()] == without_gaps(holds).tolist()
