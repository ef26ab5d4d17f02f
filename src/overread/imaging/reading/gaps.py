"""Distances of neighbouring slices: the usual one, gaps, and unequal spacing. Numbers only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Spacing", "spacing_of", "usual_step"]

Floats = NDArray[np.float64]
EQUAL = 0.05  # of the usual step
EQUAL_MM = 0.02  # decimal strings and tables are not more exact
WHOLE = 0.15  # a gap is a whole number of steps, within this part of a step


def usual_step(steps: Floats) -> float | None:
    """Return the step that is usual, mm: the mean of those near the lower median.

    The lower median, because gaps only make steps longer; the mean, because rounded positions
    alternate. None without a step that is longer than 0.
    """
    steps = np.sort(steps[steps > EQUAL_MM])
    if not len(steps):
        return None
    middle = steps[(len(steps) - 1) // 2]
    return float(steps[np.abs(steps - middle) <= 0.1 * middle].mean())


@dataclass(frozen=True, slots=True)
class Spacing:
    """How slices of one stack lie apart.

    Attributes:
        usual: mm.
        missing: how many slices seem to be missing.
        gaps: index of the slice before each gap.
        largest: the largest step, mm.
        smallest: the smallest step, mm.
        equal: whether all steps are the usual one (gaps apart).
    """

    usual: float
    missing: int
    gaps: tuple[int, ...]
    largest: float
    smallest: float
    equal: bool


def spacing_of(along: Floats, usual: float | None = None) -> Spacing | None:
    """Return how slices lie apart; None for one slice.

    Args:
        along: (n,) mm along the normal, ascending.
        usual: the usual step of the series, for stacks too short to tell by themselves.
    """
    steps: Floats = np.diff(along)
    own = usual_step(steps)
    if own is None:
        return None
    if len(steps) < 3 and usual is not None:
        own = usual
    ratios = steps / own
    wide = np.flatnonzero(ratios > 1.5)
    whole = np.abs(ratios[wide] - np.round(ratios[wide])) <= WHOLE
    # Wide steps in a row are a protocol (thin slices through the base of the skull), not losses.
    scattered = len(wide) < len(steps) / 2 and not _three_in_a_row(wide)
    gaps = wide if scattered and whole.all() else wide[:0]
    others = np.delete(steps, gaps)
    allowed = max(EQUAL * own, EQUAL_MM)
    return Spacing(
        own,
        int((np.round(ratios[gaps]) - 1).sum()),
        tuple(int(gap) for gap in gaps),
        float(steps.max()),
        float(steps.min()),
        bool(np.abs(others - own).max(initial=0.0) <= allowed),
    )


def _three_in_a_row(index: NDArray[np.int64]) -> bool:
    return bool((index[2:] - index[:-2] == 2).any())
