"""From several predictors one: joiners, one a file, fitted outside the fold that they predict.

A joiner is a module with `Spec`, `fit` and `apply`. What it learns is a dict of arrays.
"""

from overread.ensembling.joining import apply_joiner, fit_joiner, join, join_new, joiner_of
from overread.ensembling.sheets import (
    Book,
    JoinError,
    Parameters,
    Sheet,
    Truths,
    lay_out,
    truth_of,
    truths_of,
)

__all__ = [
    "Book",
    "JoinError",
    "Parameters",
    "Sheet",
    "Truths",
    "apply_joiner",
    "fit_joiner",
    "join",
    "join_new",
    "joiner_of",
    "lay_out",
    "truth_of",
    "truths_of",
]
