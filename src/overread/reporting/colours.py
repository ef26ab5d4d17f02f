"""Colours of grades: ordered from light to dark, so that they survive colour blindness and print.

Nothing else is known here.
"""

from collections.abc import Sequence
from typing import Final

from overread.records import Target

__all__ = ["INK", "NOMINAL", "ORDERED", "PREDICTORS", "grade_colours", "ink_on", "shade"]

INK: Final = "#1d2733"
INKS: Final = ("#ffffff", "#10161d")
# Light blue to amber to dark red: luminance falls all the way, hues differ for all common kinds
# of colour blindness.
ORDERED: Final = ("#d5e6f3", "#f7dc8b", "#f0a04b", "#bd4a20", "#7a1f1f")
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


def shade(share: float) -> str:
    """Return the colour of a chance: the darker the more likely.

    Example:
        >>> shade(0.0), shade(1.0)
        ('#d5e6f3', '#7a1f1f')
    """
    return _between(ORDERED, min(max(share, 0.0), 1.0))


def ink_on(colour: str) -> str:
    """Return the colour of text with the best contrast on a colour.

    Example:
        >>> ink_on("#7a1f1f"), ink_on("#d5e6f3")
        ('#ffffff', '#10161d')
    """
    return max(INKS, key=lambda ink: _contrast(ink, colour))


def _contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.1)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    shares = (channel / 255 for channel in _channels(colour))
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


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
