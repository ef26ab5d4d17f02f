"""The final predictor of a bundle, from the answers of its members.

How predictors are joined is the business of the shelf of ensembles.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.ensembling import apply_decisions, apply_sets, join_new
from overread.ensembling.decisions import RULES
from overread.inference.bundle import Bundle
from overread.inference.bundle_files import BundleError
from overread.records import GradeSets, Predictions

__all__ = ["final_decisions", "final_sets", "join_final"]


def join_final(bundle: Bundle, members: Mapping[str, Predictions]) -> Predictions:
    """Return the answers of the bundle's final predictor.

    Args:
        bundle: names it, and holds what joiners learnt.
        members: {member: answers}, all for the same units.

    Raises:
        BundleError: if an ensemble joins a predictor that the bundle lacks, or itself.
    """
    return _answers(bundle, bundle.recipe.final, members, ())


def final_sets(bundle: Bundle, predictions: Predictions) -> GradeSets:
    """Return a set of grades for each answer of the final predictor; none without thresholds."""
    if bundle.recipe.sets is None or not bundle.thresholds:
        return GradeSets.empty()
    return apply_sets(bundle.recipe.sets, predictions, _told_by(bundle), bundle.rubric)


def final_decisions(bundle: Bundle, predictions: Predictions) -> pl.DataFrame:
    """Return what to do about each answer: unit, target, option; no rows without stated costs.

    By the least expected cost, with probabilities straightened as the labels of the run taught.
    """
    spec = bundle.recipe.decisions
    learnt, nothing = _told_by(bundle), dict.fromkeys(("unit", "target", "option"), pl.String)
    decided = None if spec is None else apply_decisions(spec, predictions, learnt, bundle.rubric)
    if decided is None or not len(decided):
        return pl.DataFrame(schema=nothing)
    return decided.filter(pl.col("rule") == RULES[0]).select("unit", "target", "option")


def _told_by(bundle: Bundle) -> dict[str, NDArray[np.float64]]:
    return {key: np.asarray(value, np.float64) for key, value in bundle.thresholds.items()}


def _answers(
    bundle: Bundle, name: str, members: Mapping[str, Predictions], trail: tuple[str, ...]
) -> Predictions:
    if name in members:
        return members[name]
    named = bundle.recipe.ensembles.get(name)
    if named is None or name in trail:
        known = ", ".join((*bundle.recipe.members, *bundle.recipe.ensembles))
        raise BundleError(
            f"bundle {bundle.recipe.name}: {' joins '.join((*trail, name))}, which is no predictor "
            f"that can be made; the bundle has {known}"
        )
    parts = [_answers(bundle, part, members, (*trail, name)) for part in named.of]
    learnt: Mapping[str, NDArray[np.float64]] = {
        key: np.asarray(value, np.float64) for key, value in bundle.joiners.get(name, {}).items()
    }
    return join_new(named.joiner, named.prepared(parts), learnt, bundle.rubric, name=name)
