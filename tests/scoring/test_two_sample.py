"""Two sets are told apart when they differ, and not when they do not."""

import numpy as np
import pytest

from overread.records import RecordError
from overread.scoring.two_sample import TwoSampleSpec, two_sample

SPEC = TwoSampleSpec(folds=2, rounds=8, bootstrap=30)


def test_one_set_in_halves_is_at_chance() -> None:
    """The interval holds one half, or misses it by little."""
    values = np.random.default_rng(0).normal(size=(300, 3))
    found = two_sample(values[:150], values[150:], spec=SPEC)

    assert abs(found.auc - 0.5) < 0.12
    assert found.low < found.auc < found.high


def test_a_shifted_column_is_told() -> None:
    """Also where only missing values differ."""
    values = np.random.default_rng(0).normal(size=(300, 3))
    gaps = values[150:].copy()
    gaps[::2, 1] = np.nan

    assert two_sample(values[:150], values[150:] + np.array([0, 2, 0]), spec=SPEC).low > 0.8
    assert two_sample(values[:150], gaps, spec=SPEC).auc > 0.65


def test_people_are_held_out_whole() -> None:
    """Sets that differ only in who is in them are at chance when people are told."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(40), 10)
    values = rng.normal(size=(40, 2))[people] + 0.01 * rng.normal(size=(400, 2))
    told = (people[:200], people[200:])

    assert two_sample(values[:200], values[200:], spec=SPEC).auc > 0.9
    assert two_sample(values[:200], values[200:], told, spec=SPEC).auc < 0.75


def test_sets_that_cannot_be_compared_are_refused() -> None:
    """Other columns, or fewer people than folds."""
    with pytest.raises(RecordError, match="columns differ"):
        two_sample(np.zeros((9, 2)), np.zeros((9, 3)), spec=SPEC)
    with pytest.raises(RecordError, match="2 subjects at least"):
        two_sample(np.zeros((1, 2)), np.zeros((9, 2)), spec=SPEC)
