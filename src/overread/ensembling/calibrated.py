"""Each member is set right by itself, or dropped, before another joiner joins them.

For each member and condition a temperature and a shift of each grade, fitted to the weighted log
loss. A member that even
then knows no more of a condition than how common its grades are, on inner folds, is dropped there.
`member_verdicts` tells the same story for people.
"""

import numpy as np
from numpy.typing import NDArray

from overread import shelf
from overread.ensembling.joining import apply_joiner, joiner_of
from overread.ensembling.sheets import Book, Parameters, Truths
from overread.ensembling.verdicts import Doubt, judge_members, set_right
from overread.shelf import Named

__all__ = ["Spec", "apply", "fit"]

Floats = NDArray[np.float64]


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        then: the joiner that joins the members afterwards.
        doubt: when a member is calibrated or dropped.
    """

    then: Named = Named(use="mean")
    doubt: Doubt = Doubt()


def fit(spec: Spec, book: Book, truths: Truths) -> Parameters:
    """Return "right.<condition>" (members, 1 + grades): temperature and shifts, NaN = dropped.

    What the joiner learns stands beside it as "then.<name>".
    """
    right = judge_members(spec.doubt, book, truths)
    module, then = joiner_of(spec.then)
    inner = module.fit(then, set_right(book, right), truths)
    return {
        **{f"right.{condition}": values for condition, values in right.items()},
        **{f"then.{key}": value for key, value in inner.items()},
    }


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, grades)} of the members that were kept, calibrated."""
    right, inner = (
        {key.removeprefix(start): one for key, one in learnt.items() if key.startswith(start)}
        for start in ("right.", "then.")
    )
    return apply_joiner(spec.then, set_right(book, right), inner)
