"""Which examples come when: all of them once, or by shares."""

from collections import Counter
from pathlib import Path

import pytest
from toy_fit import RUBRIC, ToyExamples, toy_network

from overread.learning import FitError, FitSpec, LossSpec, fit, grading_loss
from overread.learning.order import Order


def drawn(order: Order, epoch: int) -> list[int]:
    """Examples of an epoch, in order."""
    first = epoch * order.steps_per_epoch
    steps = range(first, first + order.steps_per_epoch)
    return [index for step in steps for batch in order.indices(step) for index in batch]


def test_without_shares_each_comes_once() -> None:
    """An epoch is a permutation, another one each time."""
    order = Order(examples=20, batch=4, accumulate=1, epochs=2, seed=1)

    assert sorted(drawn(order, 0)) == list(range(20))
    assert drawn(order, 0) != drawn(order, 1)


def test_shares_balance_rare_examples() -> None:
    """Ten examples of a class of 100 are drawn as often as the 90 of the other."""
    shares = tuple([1 / 90] * 90 + [1 / 10] * 10)
    order = Order(examples=100, batch=10, accumulate=1, epochs=40, seed=1, shares=shares)
    counts = Counter(index >= 90 for epoch in range(40) for index in drawn(order, epoch))

    assert counts[True] / 4000 == pytest.approx(0.5, abs=0.03)
    assert drawn(order, 0) == drawn(order, 0)
    assert drawn(order, 0) != drawn(order, 1)


def test_a_share_of_nothing_is_never_drawn() -> None:
    """An example of share 0 does not come."""
    order = Order(examples=3, batch=3, accumulate=1, epochs=30, seed=0, shares=(1.0, 0.0, 2.0))

    assert {0, 2} == {index for epoch in range(30) for index in drawn(order, epoch)}


def test_shares_are_part_of_a_fit(tmp_path: Path) -> None:
    """A folder of a fit with shares is not that of a fit without: their batches differ."""
    spec = FitSpec(epochs=1, batch=8, device="cpu")

    def train(shares: list[float] | None) -> None:
        loss = grading_loss(LossSpec(), RUBRIC)
        network = toy_network()
        fit(network, ToyExamples(16), spec, loss=loss, seed=1, folder=tmp_path, shares=shares)

    train([1.0] * 8 + [3.0] * 8)

    with pytest.raises(FitError, match="another fit"):
        train(None)
