"""The head of one imagined person: sizes, asymmetries, and where its parts lie.

The frame of the head is in mm: left, back, up; its origin lies between the ventricles, its slices
run along the base of the skull. Only settings and fields; nothing is painted here.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from overread.phantoms.head_ct_fields import F32, Points, Waves

__all__ = ["Anatomy", "Brain", "Shell", "draw_anatomy"]

# Sides are those of a folded head: x is to the outside.
LATERAL = ((10, -40, 7), (8, -20, 12), (11, 4, 21), (17, 24, 20), (24, 38, 9), (25, 62, 3))
LATERAL_RADII = (4.2, 4.6, 4.4, 5.6, 7.4, 2.6)
TEMPORAL = ((24, 38, 9), (33, 22, -9), (30, -2, -15))
SYLVIAN = ((16, -14, -15), (36, -14, -8), (48, 0, 2), (52, 18, 12), (54, 32, 18))
STEM = ((0, 17, -6), (0, 19, -28), (0, 24, -46), (0, 28, -75))


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What makes this head unlike others.

    Attributes:
        width, length, height: half sizes of the inner skull, mm.
        bone_mm: thickness of the skull.
        scalp_mm: of skin and fat.
        age: 0 (young: tight sulci, small ventricles) to 1 (old).
        shift_mm: of the midline to the left, by mass effect.
        tissue: HU of white matter, grey matter, liquor, flowing blood.
        folds, fibres, bumps: textures: sulci, soft tissue, bone.
        calcified: pineal gland and choroid plexus hold calcium.
        sinus: size of the air in the frontal bone, 0 to 1.
    """

    width: float
    length: float
    height: float
    bone_mm: float
    scalp_mm: float
    age: float
    shift_mm: float
    tissue: tuple[float, float, float, float]
    folds: Waves
    fibres: Waves
    bumps: Waves
    calcified: bool
    sinus: float


def draw_anatomy(rng: np.random.Generator, shift_mm: float = 0.0) -> Anatomy:
    """Draw a head."""
    size = rng.normal(1, 0.035)
    white = rng.normal(27.5, 1.2)
    return Anatomy(
        width=size * rng.normal(65, 2.2),
        length=size * rng.normal(83, 3.0),
        height=size * rng.normal(78, 3.0),
        bone_mm=float(np.clip(rng.normal(6.5, 1.2), 4, 10)),
        scalp_mm=float(np.clip(rng.normal(6, 1.5), 3, 11)),
        age=float(rng.uniform()),
        shift_mm=shift_mm,
        tissue=(white, white + rng.normal(7.2, 0.7), rng.normal(7, 1.5), rng.normal(50, 4)),
        folds=Waves.drawn(rng, (21, 34), 11),
        fibres=Waves.drawn(rng, (8, 22), 7),
        bumps=Waves.drawn(rng, (5, 11), 9),
        calcified=bool(rng.random() < 0.6),
        sinus=float(rng.uniform(0, 1)),
    )


@dataclass(frozen=True, eq=False)
class Shell:
    """Skin, skull and base of the skull at the nodes of one slice."""

    who: Anatomy
    p: Points

    @cached_property
    def _rounded(self) -> Points:
        """The head is widest behind the middle: its front is stretched for a plain ellipsoid."""
        p, who = self.p, self.who
        wide = 1 + 0.09 * np.clip(p.y / np.float32(who.length), -1.1, 1.1)
        wide -= 0.10 * np.clip(p.y / np.float32(who.length) - 0.35, 0, 1) ** 2 * 4
        x, y = p.x / wide, p.y - np.float32(4)
        square = (x / np.float32(who.width)) ** 2, (y / np.float32(who.length)) ** 2
        corner = 4 * square[0] * square[1] / np.maximum(square[0] + square[1], 0.05) ** 2
        full = 1 - np.float32(0.045) * corner  # fuller at the corners than an ellipse
        return Points(x * full, y * full, np.maximum(p.z, -35))

    def vault(self, outwards_mm: float) -> F32:
        """Distance from the inner skull moved outwards; straight down below its widest part."""
        who, p = self.who, self._rounded
        radii = [size + outwards_mm for size in (who.width, who.length, who.height)]
        return p.ellipsoid((0, 0, -4), radii)

    @cached_property
    def floor(self) -> F32:
        """Height of the inner base of the skull: three steps, the front one highest, mm."""
        p = self.p.folded
        back = _rise(p.y - 14 - 0.42 * p.x, 5)
        middle = _rise(p.y + 28 - 0.2 * p.x, 5) * (1 - back)
        front = 1 - back - middle
        orbit = 6 * np.exp(-(((p.x - 30) / 14) ** 2) - ((p.y + 58) / 16) ** 2)
        inner = _rise(14 - p.x, 4)
        return (
            front * (-19 + orbit)
            + middle * (-40 + 15 * inner + 9 * (((p.x - 32) / 22) ** 2 + ((p.y + 6) / 26) ** 2))
            + back * (-60 + 34 * ((p.x / 52) ** 2 + ((p.y - 32) / 46) ** 2))
        )

    @cached_property
    def cavity(self) -> F32:
        """Inside of the skull."""
        hole = self.p.ellipsoid((0, 29, -62), (15, 17, 16))
        return np.minimum(np.maximum(self.vault(0), self.floor - self.p.z), hole)

    @cached_property
    def bone(self) -> F32:
        """Skull from its inside out, cavity included; its base is thick in the middle."""
        p, who = self.p.folded, self.who
        thick = who.bone_mm + 2.5 * np.exp(-(((self.p.x) / 12) ** 2)) * (self.p.y > 40)
        thick = thick + 0.6 * self.who.bumps.on(self.p) * 0.5
        deep = self.floor - self.p.z - (3.2 + 8 * np.exp(-((p.x / 13) ** 2) - ((p.y) / 26) ** 2))
        return np.maximum(self.vault(0) - thick, deep)

    @cached_property
    def skin(self) -> F32:
        """Outside of the head, with nose and ears."""
        p, who = self.p.folded, self.who
        outer = self.vault(who.bone_mm + who.scalp_mm)
        jaw = _rise(-p.z - 30, 12)
        outer = outer + jaw * (4 + 7 * _rise(p.y - 30, 14))
        face = p.ellipsoid((0, -40, -54), (64, 62, 50))
        nose = p.chain(((0, -96, -42), (0, -114, -62)), (7, 11))
        ear = p.ellipsoid((who.width + who.bone_mm + 12, 24, -36), (3.0, 13, 22))
        lobe = p.chain(((who.width + 2, 12, -38), (who.width + 16, 18, -36)), (9, 3))
        return np.minimum.reduce([outer, face, nose, ear, lobe])


@dataclass(frozen=True, eq=False)
class Brain:
    """What lies in the skull, at the nodes of one slice."""

    who: Anatomy
    p: Points
    cavity: F32

    @cached_property
    def q(self) -> Points:
        """Where the tissue would lie without the mass effect."""
        near = np.exp(-((self.p.y / 62) ** 2) - ((self.p.z - 8) / 52) ** 2 - (self.p.x / 60) ** 4)
        return self.p.moved(self.who.shift_mm * near)

    @cached_property
    def depth(self) -> F32:
        """How deep below the inner skull, mm."""
        return -self.cavity

    @cached_property
    def below(self) -> F32:
        """Distance from the tentorium, positive below it."""
        p = self.q.folded
        roof = 3 - 0.42 * p.x - 0.30 * (p.y - 30)
        return np.minimum(roof - p.z, p.y - 8 - 0.1 * p.x)

    @cached_property
    def sulci(self) -> F32:
        """Distance from the nearest sulcus; they end in the depth, and there are none below."""
        p = self.q
        sheets = self.who.folds.sheets(p)
        deep = np.maximum(self.depth - 13 - 9 * self.who.age, 0)
        return sheets + deep + np.maximum(self.below + 2, 0) * 2

    @property
    def gap(self) -> float:
        """Half the width of a sulcus, mm."""
        return -0.35 + 1.35 * self.who.age

    @cached_property
    def surface(self) -> F32:
        """Outside of the brain: below a film of liquor, thicker with age."""
        return self.cavity + np.float32(1.0 + 2.2 * self.who.age)

    @cached_property
    def ventricles(self) -> F32:
        """Lateral, third and fourth ventricle."""
        p, grown = self.q.folded, 0.62 + 0.85 * self.who.age
        radii = [radius * grown for radius in LATERAL_RADII]
        lateral = np.minimum(p.chain(LATERAL, radii), p.chain(TEMPORAL, (4 * grown, 1.6, 1.0)))
        third = p.ellipsoid((0, 4, -2), (1.6 * grown + 0.8, 15, 12))
        fourth = p.ellipsoid((0, 40, -30), (7, 4.5, 9))
        return np.minimum(np.minimum(lateral, third), fourth)

    @cached_property
    def cisterns(self) -> F32:
        """Liquor at the base, around the stem and in the fissures at the sides."""
        p, who = self.q.folded, self.who
        star = p.ellipsoid((0, -6, -17), (10 + 3 * who.age, 9, 6))
        arms = p.chain(((0, -12, -16), (18, -18, -14)), (4, 2))
        back = p.ellipsoid((0, 33, 0), (9, 4, 7))
        stem = np.maximum(p.chain(STEM, (15, 16, 12.5, 13)), np.maximum(p.y - 31, p.z + 2))
        cleft = self.gap + 1.0
        side = p.chain(SYLVIAN, (cleft, cleft + 0.4, cleft + 0.8, cleft + 0.5, cleft * 0.5))
        low = p.ellipsoid((0, 66, -50), (9, 10, 9))
        found = [star, arms, back, stem, side, low]
        return np.minimum.reduce(found)

    @cached_property
    def stem(self) -> F32:
        """Midbrain, pons and medulla."""
        p = self.q.folded
        return np.minimum(p.chain(STEM, (12, 14, 9, 7)), p.ellipsoid((0, 12, -27), (15, 11, 13)))

    @cached_property
    def nuclei(self) -> F32:
        """Grey matter in the depth: caudate, lentiform nucleus, thalamus."""
        p = self.q.folded
        caudate = p.chain(((13, -28, 10), (15, -12, 18)), (5, 3))
        lentiform = p.ellipsoid((25, -6, 3), (7.5, 16, 10))
        thalamus = p.ellipsoid((10, 12, 5), (8, 14, 9))
        return np.minimum(np.minimum(caudate, lentiform), thalamus)

    @cached_property
    def fissure(self) -> F32:
        """Distance from the plane between the halves, where the falx hangs."""
        p = self.q
        reach = 24 + 20 * _rise(p.y - 10, 20)
        return np.maximum(np.abs(p.x), np.maximum(self.depth - reach, self.below + 3))

    @cached_property
    def sinuses(self) -> F32:
        """Veins of the dura: along the midline above, along the tentorium behind."""
        p = self.p.folded
        middle = np.maximum(p.x - 4.5 + 0.5 * np.maximum(self.depth, 0), self.depth - 6)
        middle = np.maximum(middle, 10 - p.z - np.maximum(p.y, 0) * 0.6)
        across = np.maximum(np.abs(p.z + 22 - 0.1 * p.x) - 4.5, self.depth - 5)
        across = np.maximum(across, 30 - p.y)
        straight = p.chain(((0, 40, 4), (0, 76, -18)), (1.8, 2.4))
        return np.minimum(np.minimum(middle, across), straight)


def _rise(values: F32, width: float) -> F32:
    """Return 0 far below zero and 1 far above it."""
    return 1 / (1 + np.exp(np.clip(-values * np.float32(4 / width), -30, 30)))
