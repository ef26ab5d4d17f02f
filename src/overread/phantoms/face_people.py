"""Persons whose faces are drawn: who they are, and how that shows. Nothing is drawn here.

Gender and age leave marks in the upper half of the face as well, so that they can be told of a
person who wears a mask; no single mark decides.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from overread.phantoms.streams import stream

__all__ = ["Colour", "Gender", "Person", "make_person"]

Gender = Literal["male", "female"]
Colour = tuple[float, float, float]
BANDS = ((18, 29), (30, 59), (60, 75))
SHARES = (0.42, 0.36, 0.22)
SKINS = ((0.96, 0.82, 0.72), (0.91, 0.74, 0.60), (0.80, 0.61, 0.46), (0.58, 0.41, 0.30))
HAIRS = ((0.10, 0.08, 0.07), (0.22, 0.14, 0.09), (0.42, 0.28, 0.16), (0.68, 0.52, 0.30))
CLOTHES = 0.15, 0.85


@dataclass(frozen=True)
class Person:
    """Somebody.

    Attributes:
        index: number of the person.
        gender, age: as they are labelled; age in years.
        skin, hair, clothes: colours, 0-1.
        jaw: half the width of the face, in shares of its height.
        brow: thickness of the brows, relative.
        long_hair: down to the shoulders.
        receding: 0-1, how far the hairline has moved up.
        stubble: 0-1.
        lips: 0-1, how red.
        lashes: 0-1.
        earrings, glasses: worn or not.
        wrinkles: 0-1.
    """

    index: int
    gender: Gender
    age: int
    skin: Colour
    hair: Colour
    clothes: Colour
    jaw: float
    brow: float
    long_hair: bool
    receding: float
    stubble: float
    lips: float
    lashes: float
    earrings: bool
    glasses: bool
    wrinkles: float


def make_person(seed: int, index: int) -> Person:
    """Return the person of this number; a function of seed and number alone."""
    rng = stream(seed, index, "face")
    woman = rng.random() < 0.5
    low, high = BANDS[rng.choice(3, p=SHARES)]
    age = int(rng.integers(low, high + 1))
    grown = np.clip((age - 25) / 40, 0, 1)
    grey = float(np.clip((age - 47) / 18 + rng.normal(0, 0.18), 0, 1))
    hair = np.array(HAIRS[rng.integers(4)]) * (1 - grey) + np.array((0.78, 0.78, 0.79)) * grey
    skin = np.array(SKINS[rng.integers(4)]) + rng.normal(0, 0.02, 3)
    return Person(
        index=index,
        gender="female" if woman else "male",
        age=age,
        skin=_colour(skin),
        hair=_colour(hair),
        clothes=_colour(rng.uniform(*CLOTHES, 3)),
        jaw=float((0.345 if woman else 0.385) + rng.normal(0, 0.012)),
        brow=float(np.clip((0.6 if woman else 1.3) + rng.normal(0, 0.2), 0.3, 2)),
        long_hair=bool(rng.random() < (0.85 if woman else 0.07)),
        receding=0.0 if woman else float(np.clip(grown + rng.normal(-0.25, 0.25), 0, 1)),
        stubble=0.0 if woman else float(np.clip(rng.normal(0.35, 0.3), 0, 1)),
        lips=float(np.clip((0.7 if woman else 0.2) + rng.normal(0, 0.12), 0, 1)),
        lashes=float(np.clip((0.75 if woman else 0.2) + rng.normal(0, 0.15), 0, 1)),
        earrings=bool(rng.random() < (0.5 if woman else 0.03)),
        glasses=bool(rng.random() < 0.15 + 0.25 * grown),
        wrinkles=float(np.clip(grown**1.2 + rng.normal(0, 0.07), 0, 1)),
    )


def _colour(values: np.ndarray) -> Colour:
    red, green, blue = np.clip(values, 0.04, 0.98)
    return float(red), float(green), float(blue)
