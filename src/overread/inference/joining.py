"""The final predictor of a bundle, from the answers of its members.

How predictors are joined is the business of the shelf of ensembles.
"""

import polars as pl

from overread.inference.bundle import Bundle
from overread.records import Predictions

__all__ = ["join_final"]


def join_final(bundle: Bundle, members: Predictions) -> Predictions:
    """Return the answers of the bundle's final predictor.

    Args:
        bundle: names it, and holds what joiners learnt.
        members: answers of all members for the same units.
    """
    final = bundle.recipe.final
    return Predictions(members.frame.filter(pl.col("predictor") == final))
