"""Five kinds of bleeding where they belong, from barely visible to large.

Each is a function of a brain's fields that gives the distance from the blood. Nothing is painted
here.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from overread.phantoms.head_ct_anatomy import Brain
from overread.phantoms.head_ct_fields import F32, Waves

__all__ = ["KINDS", "Bleed", "blood", "draw_bleeds", "midline_shift"]

Kind = Literal["epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural"]
KINDS: tuple[Kind, ...] = (
    "epidural",
    "intraparenchymal",
    "intraventricular",
    "subarachnoid",
    "subdural",
)
# How likely each kind is in a bleeding head: rare ones are commoner than in hospitals, so that a
# hundred studies hold some of each.
CHANCES = (0.22, 0.40, 0.28, 0.38, 0.40)
# Where blood within the brain comes to lie: left, back, up, and spread of the place, mm.
PLACES = (
    ((24, -4, 4), (4, 8, 5)),
    ((11, 12, 5), (2, 3, 3)),
    ((38, 0, 30), (10, 32, 12)),
    ((40, 5, -20), (5, 14, 4)),
    ((22, 52, -38), (8, 8, 5)),
)


@dataclass(frozen=True)
class Bleed:
    """One bleeding.

    Attributes:
        kind: one of `KINDS`.
        side: +1 left, -1 right.
        place: (3,) mm in the head's frame, on the left side: middle of the blood, or the direction
            in which it touches the skull.
        size: 0 (barely visible) to 1 (large).
        hu: of the blood.
        strength: share of it that shows, 1 where it is not mixed with other tissue.
        form: "lens", "crescent", "falx", "ball", "pool", "cast" or "film".
        ragged: texture of its border.
    """

    kind: Kind
    side: int
    place: tuple[float, float, float]
    size: float
    hu: float
    strength: float
    form: str
    ragged: Waves


def draw_bleeds(rng: np.random.Generator, *, chance: float) -> tuple[Bleed, ...]:
    """Draw the bleedings of one head; none with probability 1 - chance."""
    there = rng.random(len(KINDS)) < CHANCES
    if rng.random() >= chance:
        return ()
    if not there.any():
        there[int(rng.choice(len(KINDS), p=np.array(CHANCES) / sum(CHANCES)))] = True
    return tuple(_draw(rng, kind) for kind, bleeds in zip(KINDS, there, strict=True) if bleeds)


def _draw(rng: np.random.Generator, kind: Kind) -> Bleed:
    side = 1 if rng.random() < 0.5 else -1
    size = float(rng.beta(1.2, 1.1))
    fresh = float(rng.normal(63, 5))
    bleed = Bleed(
        kind, side, (0, 0, 0), size, fresh, 1.0, "", Waves.drawn(rng, (12, 40), 6)
    )  # the border of small blood is as smooth as that of large blood
    if kind == "epidural":
        angle, height = rng.uniform(-1.9, 1.2), rng.uniform(-8, 45)
        place = (float(np.cos(angle) * 66), float(np.sin(angle) * 84), float(height))
        return replace(bleed, place=place, form="lens")
    if kind == "subdural":
        old = rng.random()
        hu = (
            fresh if old < 0.6 else float(rng.uniform(34, 46) if old < 0.8 else rng.uniform(12, 21))
        )
        form = "falx" if rng.random() < 0.22 else "crescent"
        return replace(bleed, place=(60, float(rng.uniform(-45, 45)), 30), hu=hu, form=form)
    if kind == "intraparenchymal":
        middle, spread = PLACES[int(rng.choice(len(PLACES), p=(0.32, 0.16, 0.34, 0.10, 0.08)))]
        x, y, z = (float(value) for value in rng.normal(middle, spread))
        return replace(bleed, place=(x, y, z), form="ball")
    if kind == "intraventricular":
        form = "cast" if rng.random() < 0.25 + 0.4 * (size > 0.6) else "pool"
        return replace(bleed, form=form, hu=fresh - 4)
    x, y, z = (float(value) for value in rng.normal((28, -6, 8), (16, 30, 24)))
    strength = float(np.clip(0.5 + 0.5 * size + rng.normal(0, 0.1), 0.4, 1))
    return replace(bleed, place=(x, y, z), hu=fresh - 7, strength=strength, form="film")


def midline_shift(bleeds: tuple[Bleed, ...]) -> float:
    """Return how far the blood pushes the midline to the left, mm."""
    push = 0.0
    for bleed in bleeds:
        if bleed.form in ("lens", "crescent", "ball") and bleed.size > 0.35:
            push -= bleed.side * 8 * (bleed.size - 0.35) ** 1.2
    return float(np.clip(push, -9, 9))


def blood(bleed: Bleed, brain: Brain) -> F32:
    """Return the distance from the blood of one bleeding, mm."""
    return _FORMS[bleed.form](bleed, brain)


def _flipped(bleed: Bleed) -> tuple[float, float, float]:
    x, y, z = bleed.place
    return x * bleed.side, y, z


def _lens(bleed: Bleed, brain: Brain) -> F32:
    """Between bone and dura: thick in the middle, ends at the sutures."""
    reach, thick = 14 + 24 * bleed.size, 3 + 22 * bleed.size**1.3
    away = brain.p.to(_flipped(bleed))
    inner = brain.depth - thick * (1 - (away / np.float32(reach)) ** 2)
    return np.maximum(np.maximum(inner, brain.cavity), away - reach)


def _crescent(bleed: Bleed, brain: Brain) -> F32:
    """Between dura and brain, over much of one half; stops at falx and tentorium."""
    reach, thick = 26 + 60 * bleed.size, 1.6 + 14 * bleed.size**1.3
    away = brain.p.to(_flipped(bleed)) / np.float32(reach)
    ragged = 0.12 * bleed.ragged.on(brain.p)
    inner = brain.depth - thick * (1 + ragged - away**4)
    side = 1.5 - brain.q.x * bleed.side
    return np.maximum.reduce([inner, brain.cavity, side, brain.below, away * reach - reach])


def _falx(bleed: Bleed, brain: Brain) -> F32:
    """A thin sheet along one side of the falx."""
    thick = 1.6 + 5 * bleed.size
    beside = np.abs(brain.q.x - bleed.side * thick / 2) - thick / 2
    long = np.abs(brain.p.y - bleed.place[1]) - (18 + 34 * bleed.size)
    reach = brain.depth - (20 + 16 * bleed.size)
    return np.maximum.reduce([beside, long, reach, brain.cavity + 1, brain.below + 2])


def _ball(bleed: Bleed, brain: Brain) -> F32:
    """In the tissue, ragged."""
    radius = 2.2 + 23 * bleed.size**1.5
    ball = brain.q.ellipsoid(_flipped(bleed), (radius, radius * 1.25, radius * 0.95))
    return np.maximum(ball + 0.16 * radius * bleed.ragged.on(brain.p), brain.surface + 0.5)


def _pool(bleed: Bleed, brain: Brain) -> F32:
    """Sinks to the back of the lateral ventricles, with a level."""
    level = 62 - 38 * bleed.size
    other = np.maximum(-brain.q.x * bleed.side - 1, 0) * (1.6 - 1.6 * bleed.size)
    return np.maximum(brain.ventricles + 0.2, level + other - brain.q.y)


def _cast(bleed: Bleed, brain: Brain) -> F32:
    """Fills a lateral ventricle, of large ones the third and fourth too."""
    other = -brain.q.x * bleed.side - (1.5 if bleed.size < 0.7 else 40)
    return np.maximum(brain.ventricles + 0.3 - bleed.size * 1.2, other)


def _film(bleed: Bleed, brain: Brain) -> F32:
    """Fills sulci, fissures and cisterns around one place."""
    reach = 16 + 46 * bleed.size
    spaces = np.minimum(brain.sulci - max(brain.gap, 0) - 0.9, brain.cisterns - 0.5)
    spaces = np.minimum(spaces, brain.fissure - 1.6)
    spaces = np.maximum(spaces, brain.cavity + 0.4)
    near = brain.p.to(_flipped(bleed)) - reach + 7 * bleed.ragged.on(brain.p)
    return np.maximum(spaces, near * 0.35)


_FORMS = {
    "lens": _lens,
    "crescent": _crescent,
    "falx": _falx,
    "ball": _ball,
    "pool": _pool,
    "cast": _cast,
    "film": _film,
}
