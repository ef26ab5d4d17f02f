"""From several predictors one: joiners, one a file, fitted outside the fold that they predict.

A joiner is a module with `Spec`, `fit` and `apply`. What it learns is a dict of arrays.
"""

from overread.ensembling.joining import (
    JoinError,
    Parameters,
    Sheet,
    apply_joiner,
    fit_joiner,
    join,
    join_new,
    lay_out,
    truth_of,
)

__all__ = [
    "JoinError",
    "Parameters",
    "Sheet",
    "apply_joiner",
    "fit_joiner",
    "join",
    "join_new",
    "lay_out",
    "truth_of",
]
