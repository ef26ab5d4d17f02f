"""Forges many studies at a time, and gives what they add in their order."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from overread.shelf import die_with_the_starter

__all__ = ["in_order"]

R = TypeVar("R")


def in_order(forge: Callable[[int], R], num_studies: int, workers: int) -> Iterator[R]:
    """Yield what forging each study gives, in order, from this process or from several."""
    if workers == 1:
        yield from map(forge, range(num_studies))
        return
    # Spawned processes share nothing, so threads and locks of the caller cannot hang them.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=die_with_the_starter) as pool:
        yield from pool.map(forge, range(num_studies))
