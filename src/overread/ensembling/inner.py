"""Folds within the units that a joiner is fitted on, to choose settings without looking outside.

Knows no joiners: what is fitted and applied is handed in.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from overread.ensembling.sheets import Book, Parameters, Truths

__all__ = ["Part", "inner_folds", "inner_parts", "out_of_fold"]

Floats = NDArray[np.float64]


class Part(NamedTuple):
    """A book cut in two by subjects.

    Attributes:
        book: to learn from.
        truths: of its units.
        rest: to answer.
        rows: {target: index of the rest's units in the whole book}.
    """

    book: Book
    truths: Truths
    rest: Book
    rows: dict[str, NDArray[np.int64]]


def inner_folds(book: Book, *, count: int, seed: int) -> dict[str, int]:
    """Return {subject: fold} of equal sizes; a fixed seed gives fixed folds."""
    subjects = book.subjects()
    order = np.random.default_rng(seed).permutation(len(subjects))
    return dict(zip(subjects, (order % count).tolist(), strict=True))


def inner_parts(book: Book, truths: Truths, *, count: int, seed: int) -> Iterator[Part]:
    """Cut a book `count` times, each subject once in the rest. A fixed seed gives fixed cuts."""
    fold = inner_folds(book, count=count, seed=seed)
    own = {
        sheet.target.name: np.array([fold[one] for one in sheet.units["subject"]], np.int64)
        for sheet in book
    }
    for index in range(min(count, len(fold))):
        learn = {target: np.flatnonzero(one != index) for target, one in own.items()}
        rest = {target: np.flatnonzero(one == index) for target, one in own.items()}
        known = {target: truths[target][rows] for target, rows in learn.items()}
        yield Part(book.take(learn), known, book.take(rest), rest)


def out_of_fold(
    book: Book,
    truths: Truths,
    fit: Callable[[Book, Truths], Parameters],
    apply: Callable[[Book, Parameters], dict[str, Floats]],
    *,
    count: int,
    seed: int,
) -> dict[str, Floats]:
    """Return {target: (n, grades)}, each unit answered by what the other inner folds taught."""
    answers = {target: np.zeros(truth.shape) for target, truth in truths.items()}
    for part in inner_parts(book, truths, count=count, seed=seed):
        learnt = fit(part.book, part.truths)
        for target, one in apply(part.rest, learnt).items():
            answers[target][part.rows[target]] = one
    return answers
