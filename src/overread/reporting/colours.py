"""Colours of grades: ordered from light to dark, so that they survive colour blindness and print.

Nothing else is known here.
"""

from collections.abc import Sequence
from typing import Final

from overread.records import Target

__all__ = ["INK", "PREDICTORS", "grade_colours", "ink_on"]

INK: Final = "#1d2733"
# Light blue to amber to dark red: luminance falls all the way, hues differ for all common kinds
# of colour blindness.
ORDERED: Final = ("#d5e6f3", "#f7dc8b", "#f0a04b", "#c8552b", "#7a1f1f")
# Okabe and Ito (2008), without black.
NOMINAL: Final = (
    "#56b4e9",
    "#e69f00",
    "#009e73",
    "#f0e442",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
)
PREDICTORS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7a7a")


def grade_colours(target: Target) -> tuple[str, ...]:
    """Return a colour for each grade, the worst darkest where grades are ordered.

    Example:
        >>> grade_colours(Target("t", ("no", "yes"), (1.0, 1.0), scale="binary"))
        ('#d5e6f3', '#7a1f1f')
    """
    count = len(target.grades)
    if target.scale == "nominal":
        return tuple(NOMINAL[index % len(NOMINAL)] for index in range(count))
    return tuple(_between(ORDERED, index / (count - 1)) for index in range(count))


def ink_on(colour: str) -> str:
    """Return the colour of text that can be read on a colour.

    Example:
        >>> ink_on("#7a1f1f"), ink_on("#d5e6f3")
        ('#ffffff', '#1d2733')
    """
    red, green, blue = _channels(colour)
    return "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else INK


def _between(stops: Sequence[str], share: float) -> str:
    place = share * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    part = place - low
    mixed = (
        round(a + (b - a) * part)
        for a, b in zip(_channels(stops[low]), _channels(stops[low + 1]), strict=True)
    )
    return "#" + "".join(f"{value:02x}" for value in mixed)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
