"""Batches, prepared in background threads while the network is busy with the one before."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

__all__ = ["ahead"]

T = TypeVar("T")


@contextmanager
def ahead(make: Callable[[int], T], steps: range, *, workers: int) -> Iterator[Iterator[T]]:
    """Give the results of `make(step)` in order, made by `workers` threads ahead of time.

    Each of them computes with one torch thread: a team of threads for a batch and one for the step
    before it would wait for each other. An error in `make` is raised where its result would have
    come. On leaving, what is not begun is given up and what is begun is waited for.

    Args:
        make: must be safe to call from several threads at once.
        steps: which.
        workers: threads; 0 = made when asked for.
    """
    if not workers:
        yield (make(step) for step in steps)
        return
    with ThreadPoolExecutor(workers, "overread-feed", _compute_alone) as pool:
        try:
            yield _results(pool, make, steps, workers + 1)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            torch.set_num_threads(torch.get_num_threads())  # for threads that begin later


def _compute_alone() -> None:
    """Give this thread no helpers; threads that run already keep theirs."""
    torch.set_num_threads(1)


def _results(
    pool: ThreadPoolExecutor, make: Callable[[int], T], steps: range, depth: int
) -> Iterator[T]:
    waiting: deque[Future[T]] = deque()
    for step in steps:
        waiting.append(pool.submit(make, step))
        if len(waiting) >= depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
