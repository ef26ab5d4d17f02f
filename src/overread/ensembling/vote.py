"""Mean of the members, then over all units of one person: several photographs vote. Learns nothing.

For questions whose answer is the person's, such as gender and age, not the photograph's. A study
that is graded alone is a vote of its own.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from overread import shelf
from overread.ensembling.mean import mean_of
from overread.ensembling.sheets import Book, Parameters, Sheet, Truths

__all__ = ["Spec", "apply", "fit"]

Floats = NDArray[np.float64]


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        of_person: targets that are voted on; None = all. The others are only averaged.
        weights: {member: weight}; members that are not named weigh 1. Only ratios count.
    """

    of_person: tuple[str, ...] | None = None
    weights: Mapping[str, float] = {}


def fit(spec: Spec, book: Book, truths: Truths) -> Parameters:
    """Learn nothing."""
    del spec, book, truths
    return {}


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, grades)}: the mean over members, and over the units of each person."""
    del learnt
    return {
        sheet.target.name: _voted(sheet, mean_of(sheet, spec.weights))
        if spec.of_person is None or sheet.target.name in spec.of_person
        else mean_of(sheet, spec.weights)
        for sheet in book
    }


def _voted(sheet: Sheet, chances: Floats) -> Floats:
    """Return each unit's mean over the units of its person at its site."""
    places = sheet.units.select("subject", "site").rows()
    number = {place: index for index, place in enumerate(dict.fromkeys(places))}
    index = np.array([number[place] for place in places], np.int64)
    sums = np.zeros((len(number), chances.shape[1]))
    np.add.at(sums, index, chances)
    return np.asarray(sums[index] / np.bincount(index)[index, None])
