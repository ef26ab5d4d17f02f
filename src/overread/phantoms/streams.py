"""Random streams and numbers of studies: functions of seed, index and purpose alone.

Forging computes with one thread of linear algebra: on small arrays it is faster, and the last bits
of a product depend on the number.
"""

from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import ParamSpec, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

P = ParamSpec("P")
R = TypeVar("R")
_ID_STEP = 2_654_435_761  # odd: place -> number is one-to-one modulo 2**32
_SERIES_A_STUDY = 8


def one_thread(work: Callable[P, R]) -> Callable[P, R]:
    """Let a function compute with one thread of linear algebra."""

    @wraps(work)
    def alone(*args: P.args, **options: P.kwargs) -> R:
        with threadpool_limits(limits=1, user_api="blas"):
            return work(*args, **options)

    return alone


def stream(seed: int, index: int, purpose: str) -> np.random.Generator:
    """Return the random stream of one study and purpose; streams do not touch each other."""
    word = int.from_bytes(sha256(purpose.encode()).digest()[:4], "big")
    return np.random.default_rng(np.random.SeedSequence([seed, index, word]))


def number_of(seed: int, index: int, series: int | None = None) -> int:
    """Return the number of a study, or of its n-th series; unique within a seed.

    Unique for up to a million studies; numbers look like those of the challenge (32 bits).
    """
    place = index + 1 if series is None else 2**20 + index * _SERIES_A_STUDY + series
    return (place * _ID_STEP + seed * 40_503) % 2**32
