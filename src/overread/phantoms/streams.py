"""Random streams and numbers of studies: functions of seed, index and purpose alone.

Forging computes with one thread of linear algebra: on small arrays it is faster, and the last bits
of a product depend on the number.
"""

from hashlib import sha256

import numpy as np
from threadpoolctl import threadpool_limits

_ID_STEP = 2_654_435_761  # odd: place -> number is one-to-one modulo 2**32
_SERIES_A_STUDY = 8


one_thread = threadpool_limits.wrap(limits=1, user_api="blas")


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
