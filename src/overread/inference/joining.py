"""The final predictor of a bundle, from the answers of its members.

How predictors are joined is the business of the shelf of ensembles.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from overread.ensembling import apply_sets, join_new
from overread.inference.bundle import Bundle
from overread.inference.bundle_files import BundleError
from overread.records import GradeSets, Predictions

__all__ = ["final_sets", "join_final"]


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
    learnt = {key: np.asarray(value, np.float64) for key, value in bundle.thresholds.items()}
    return apply_sets(bundle.recipe.sets, predictions, learnt, bundle.rubric)


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
