"""Batches ahead of time: in order, by threads without helpers, errors where they belong."""

import pytest
import torch

from overread.learning.feed import ahead


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order(workers) -> None:
    """Results come in the order of the steps, however many threads make them."""
    with ahead(lambda step: step * step, range(2, 9), workers=workers) as results:
        assert [step * step for step in range(2, 9)] == list(results)


def test_threads_have_no_helpers() -> None:
    """A thread that prepares computes with one torch thread; the caller keeps its own number."""

    def count(step: int) -> int:
        del step
        return torch.get_num_threads()

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with ahead(count, range(4), workers=2) as results:
            inside = list(results)
        with ahead(count, range(1), workers=0) as results:
            outside = list(results)

        assert inside == [1] * 4
        assert outside == [3]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_errors_come_where_results_would() -> None:
    """What was made before an error is given first."""

    def make(step: int) -> int:
        if step == 2:
            raise KeyError("bad")
        return step

    with ahead(make, range(5), workers=2) as results:
        given = [next(results), next(results)]
        with pytest.raises(KeyError, match="bad"):
            next(results)

    assert given == [0, 1]
