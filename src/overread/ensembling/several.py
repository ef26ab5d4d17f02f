"""Joiners within a joiner: each is fitted and applied, and what each has learnt is kept apart."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from overread.ensembling.joining import apply_joiner, joiner_of
from overread.ensembling.sheets import Book, Parameters, Truths
from overread.shelf import Named

__all__ = ["apply_each", "fit_each"]

Floats = NDArray[np.float64]


def fit_each(joiners: Sequence[Named], book: Book, truths: Truths) -> Parameters:
    """Return what each joiner learns, as "<place>.<name>"."""
    learnt = {}
    for place, named in enumerate(joiners):
        module, spec = joiner_of(named)
        for key, value in module.fit(spec, book, truths).items():
            learnt[f"{place}.{key}"] = value
    return learnt


def apply_each(joiners: Sequence[Named], book: Book, learnt: Parameters) -> list[dict[str, Floats]]:
    """Return {target: (n, grades)} of each joiner."""
    answers = []
    for place, named in enumerate(joiners):
        start = f"{place}."
        own = {key.removeprefix(start): one for key, one in learnt.items() if key.startswith(start)}
        answers.append(apply_joiner(named, book, own))
    return answers
