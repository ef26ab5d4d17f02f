"""Builds one person's lumbar spine: frames, sizes and narrowings in millimetres.

Discs are numbered by level: 0 is L1/L2, 4 is L5/S1, -4 is T9/T10, 7 is S3/S4.
A vertebra carries the number half way between its discs (0.5 is L2).
The running number `level` along the spine is continuous, and tables over it describe the canal.
It knows nothing about brightness, scanners or pixels.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from overread.phantoms.sampling import F64, Frame
from overread.phantoms.severity import Severity

FIRST_DISC, LAST_DISC = -4, 7
SACRUM = 4 - FIRST_DISC  # place of S1 among the vertebrae
_DISCS = np.arange(FIRST_DISC, LAST_DISC + 1)
_TABLE_STEPS = 64  # table entries per level

# Typical adult, by disc T9/T10 ... S3/S4.
_DISC_HEIGHT = np.array([5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 11.5, 10.5, 3.2, 2.0, 1.5])
_DISC_PITCH = np.radians([-4, -7, -10, -12, -12, -9, -3, 7, 27, 42, 53, 56])
_DISC_HALF_WIDTH = np.array([15, 16, 18, 19.5, 21, 22, 23, 24, 24.5, 19, 14, 11])
_DISC_HALF_DEPTH = np.array([13.5, 14.5, 15.2, 16, 16.8, 17.6, 18.2, 18.6, 18, 12, 8.5, 7])
# By vertebra T10 ... S3.
_BODY_HEIGHT = np.array([21, 22, 23.5, 25, 26, 27, 27.5, 27.5, 28, 24, 20])

# Half sizes of the bony canal and the thecal sac, and the canal's distance behind the disc.
_CANAL_HALF_WIDTH = np.array([9, 9, 10, 11, 11.5, 12, 12.5, 13, 13.5, 12, 9, 6])
_CANAL_HALF_DEPTH = np.array([7.5, 7.5, 8, 8.5, 8.8, 8.8, 8.8, 9, 9, 7, 4.5, 3])
_SAC_HALF_WIDTH = np.array([7, 7, 7.5, 8.4, 9.2, 9.6, 9.8, 9.8, 8.6, 5.2, 0.1, 0.1])
_SAC_HALF_DEPTH = np.array([6.2, 6.2, 6.6, 7.2, 7.5, 7.5, 7.4, 7.2, 6.4, 4.2, 0.1, 0.1])

# Share of the healthy area left at depth 0, 1/3, 1/2, 2/3 and 1: grades part at 0.66 and 0.36.
_DEPTH_KNOTS = (0.0, 1 / 3, 1 / 2, 2 / 3, 1.0)
_SAC_AREA = (1.0, 0.68, 0.50, 0.35, 0.12)
_FORAMEN_SIZE = (1.0, 0.76, 0.53, 0.33, 0.08)
_RECESS_SIZE = (1.0, 0.75, 0.55, 0.34, 0.04)
_READER_NOISE = 0.06  # depth as drawn differs from depth as graded by this much (1 sigma)
_NARROWING_REACH = 0.19  # levels; about 7 mm above and below the disc


@dataclass(frozen=True)
class Level:
    """One lumbar level as drawn; pairs are (left, right).

    Attributes:
        sac_area: share of the healthy sac area.
        foramen: size factors of the foramina.
        recess: size factors of the lateral recesses.
        bulge: how far the disc stands out into the canal, mm.
        degeneration: 0 healthy bright nucleus, 1 black narrow disc.
        facet: growth factors of the facet joints.
    """

    sac_area: float
    foramen: tuple[float, float]
    recess: tuple[float, float]
    bulge: float
    degeneration: float
    facet: tuple[float, float]


@dataclass(frozen=True)
class Disc:
    """One disc: its frame and half sizes in mm."""

    level: int
    frame: Frame
    height: float
    half_width: float
    half_depth: float
    degeneration: float


@dataclass(frozen=True)
class Vertebra:
    """One vertebra: the frame of its body and half sizes in mm (above and below differ)."""

    level: float
    frame: Frame
    half_height: float
    half_width: tuple[float, float]
    half_depth: tuple[float, float]
    canal_half_width: float
    canal_half_depth: float
    spur: float
    spinous_length: float
    spinous_height: float


@dataclass(frozen=True)
class Canal:
    """Tables over `level`; `at` holds the level of each entry; all lengths in mm.

    Attributes:
        at: level of each entry, `_TABLE_STEPS` a level.
        behind: distance of the canal's centre behind the spine's axis, healthy.
        shift: how far the opening's centre is pushed back by a narrowing.
        half_width: bony canal, healthy.
        half_depth: bony canal, healthy.
        opening: scale of (left width, right width, depth) of what is left open, (n, 3).
        sac_half: half (left width, right width, depth) of the sac as drawn, (n, 3).
        disc_wall: 1 at disc levels, 0 between, for ligament and annulus.
        recess: size of the (left, right) recess, 0 where there is none, (n, 2).
    """

    at: F64
    behind: F64
    shift: F64
    half_width: F64
    half_depth: F64
    opening: F64
    sac_half: F64
    disc_wall: F64
    recess: F64

    def index(self, level: float) -> int:
        """Return the entry of a level."""
        return round((level - float(self.at[0])) * _TABLE_STEPS)


@dataclass(frozen=True)
class Spine:
    """All geometry of one person's spine."""

    discs: tuple[Disc, ...]
    vertebrae: tuple[Vertebra, ...]
    canal: Canal
    levels: tuple[Level, ...]
    size: float

    def disc(self, level: int) -> Disc:
        """Return the disc of a level (0 is L1/L2)."""
        return self.discs[level - FIRST_DISC]

    def disc_centre(self, level: int) -> F64:
        """Return the disc's centre in patient space, mm."""
        return self.disc(level).frame.centre

    def canal_centre(self, level: int) -> F64:
        """Return the centre of the open canal at disc height in patient space, mm."""
        entry = self.canal.index(level)
        behind = float(self.canal.behind[entry] + self.canal.shift[entry])
        return self.disc(level).frame.world(0.0, behind, 0.0)

    def foramen(self, level: int, side: int) -> F64:
        """Return the centre of the foramen; `side` is +1 left, -1 right."""
        disc = self.disc(level)
        left, back, up = foramen_place(self, level)
        return disc.frame.world(side * left, back, up)

    def recess(self, level: int, side: int) -> F64:
        """Return the centre of the lateral recess; `side` is +1 left, -1 right."""
        entry = self.canal.index(level)
        left = RECESS_OUT * float(self.canal.half_width[entry])
        back = float(self.canal.behind[entry]) + RECESS_FRONT
        return self.disc(level).frame.world(side * left, back, 0.0)


RECESS_OUT = 0.84  # of the canal's half width
RECESS_FRONT = -1.6  # mm from the canal's centre


def foramen_place(spine: Spine, level: int) -> tuple[float, float, float]:
    """Return (outwards, back, up) of a foramen's centre in its disc's frame, mm."""
    disc, entry = spine.disc(level), spine.canal.index(level)
    outwards = float(spine.canal.half_width[entry]) + 5.0
    return outwards, 0.86 * disc.half_depth + 5.5, 4.5 * spine.size


def build_spine(rng: np.random.Generator, severity: Severity) -> Spine:
    """Build a person whose narrowings follow the severities."""
    size = float(np.clip(rng.normal(1.0, 0.06), 0.86, 1.15))
    general = rng.normal(0, 0.14)
    levels = tuple(_draw_level(rng, severity, level, general) for level in range(5))
    degeneration = np.clip(rng.normal(0.25 + general, 0.15, len(_DISCS)), 0, 1)
    degeneration[-FIRST_DISC : 5 - FIRST_DISC] = [level.degeneration for level in levels]
    shapes = _Shapes(
        height=size * _DISC_HEIGHT * (1 - 0.45 * degeneration) * rng.uniform(0.93, 1.07, 12),
        half_width=size * _DISC_HALF_WIDTH,
        half_depth=size * _DISC_HALF_DEPTH,
        body_height=size * _BODY_HEIGHT * rng.uniform(0.96, 1.04, 11),
    )
    axes = _draw_axes(rng)
    disc_frames, body_frames = _place(shapes, axes)
    discs = tuple(
        Disc(
            int(level),
            disc_frames[i],
            *(
                float(v)
                for v in (
                    shapes.height[i],
                    shapes.half_width[i],
                    shapes.half_depth[i],
                    degeneration[i],
                )
            ),
        )
        for i, level in enumerate(_DISCS)
    )
    canal = _build_canal(rng, shapes, levels, size)
    worn = np.maximum(degeneration[:-1], degeneration[1:])
    spurs = np.maximum(0.0, worn - 0.35) * rng.uniform(1.0, 5.0, len(worn))
    details = np.column_stack([spurs, _draw_spinous(rng, size)])
    vertebrae = tuple(
        _vertebra(shapes, canal, i, body_frames[i], details[i]) for i in range(len(body_frames))
    )
    return Spine(discs, vertebrae, canal, levels, size)


@dataclass(frozen=True)
class _Shapes:
    height: F64
    half_width: F64
    half_depth: F64
    body_height: F64


def _draw_level(rng: np.random.Generator, severity: Severity, level: int, general: float) -> Level:
    depth = severity.depth[:, level] + rng.normal(0, _READER_NOISE, 5)
    depth = np.clip(depth, 0, 1.03)
    sac = float(np.interp(depth[0], _DEPTH_KNOTS, _SAC_AREA))
    foramen = np.interp(depth[1:3], _DEPTH_KNOTS, _FORAMEN_SIZE)
    recess = np.interp(depth[3:5], _DEPTH_KNOTS, _RECESS_SIZE)
    ill = 0.10 + general + 0.05 * level + 0.5 * depth.mean() + 0.35 * depth.max()
    facet = 0.95 + 0.35 * depth[3:5] + rng.normal(0, 0.05, 2)
    return Level(
        sac_area=sac * float(rng.normal(1, 0.04)),
        foramen=(float(foramen[0]), float(foramen[1])),
        recess=(float(recess[0]), float(recess[1])),
        bulge=float(rng.uniform(0.3, 0.65)),
        degeneration=float(np.clip(ill + rng.normal(0, 0.14), 0, 1)),
        facet=(float(facet[0]), float(facet[1])),
    )


def _draw_axes(rng: np.random.Generator) -> F64:
    """Draw the axes of all discs (12, 3, 3): lordosis, mild scoliosis, mild rotation."""
    curve = rng.normal(1.0, 0.18)
    slope = rng.normal(0, np.radians(4)) * np.clip((_DISCS + 1) / 6, 0, 1.2)
    pitch = curve * _DISC_PITCH + slope + rng.normal(0, np.radians(1.0), 12)
    bend = abs(rng.normal(0, np.radians(2.2))) * rng.choice([-1, 1])
    phase = rng.uniform(0, 2 * np.pi)
    wave = np.sin(_DISCS / 7 * 2 * np.pi + phase) * np.exp(-((_DISCS - 1.5) ** 2) / 30)
    roll, yaw = bend * wave, 0.8 * bend * np.cos(_DISCS / 7 * 2 * np.pi + phase)
    roll = roll + rng.normal(0, np.radians(0.8))
    return np.stack([_axes(p, r, y) for p, r, y in zip(pitch, roll, yaw, strict=True)])


def _axes(pitch: float, roll: float, yaw: float) -> F64:
    """Return unit axes (left, back, up), tilted forwards by pitch, to the left by roll."""
    up = np.array([np.sin(roll), -np.sin(pitch) * np.cos(roll), np.cos(pitch) * np.cos(roll)])
    left = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    left -= up * (left @ up)
    left /= np.linalg.norm(left)
    return np.stack([left, np.cross(up, left), up])


def _place(shapes: _Shapes, axes: F64) -> tuple[list[Frame], list[Frame]]:
    """Chain discs and bodies from L3/L4, which stands at the patient-space origin."""
    body_axes = []
    for above, below in pairwise(axes):
        up = above[2] + below[2]
        up /= np.linalg.norm(up)
        left = above[0] + below[0]
        left -= up * (left @ up)
        left /= np.linalg.norm(left)
        body_axes.append(np.stack([left, np.cross(up, left), up]))
    count, middle = len(axes), 2 - FIRST_DISC
    steps = [
        (shapes.height[i] * axes[i][2] + shapes.body_height[i] * body_axes[i][2]) / 2
        for i in range(count - 1)
    ]
    steps_below = [
        (shapes.height[i + 1] * axes[i + 1][2] + shapes.body_height[i] * body_axes[i][2]) / 2
        for i in range(count - 1)
    ]
    tops = np.cumsum([np.zeros(3)] + [-(a + b) for a, b in zip(steps, steps_below, strict=True)], 0)
    centres = tops - tops[middle]
    discs = [Frame(centres[i], axes[i]) for i in range(count)]
    bodies = [Frame(centres[i] - steps[i], body_axes[i]) for i in range(count - 1)]
    return discs, bodies


def _draw_spinous(rng: np.random.Generator, size: float) -> F64:
    """Draw half lengths and half heights of the spinous processes, (11, 2), mm."""
    length = np.array([12, 12, 12.5, 13.5, 14.5, 15, 15, 14, 11, 6, 4])
    height = np.array([7, 7, 8, 10, 11, 11.5, 11.5, 10.5, 8, 6, 4])
    typical = np.stack([length, height], -1)
    return size * typical * rng.normal(1.0, 0.08, typical.shape)


def _build_canal(
    rng: np.random.Generator, shapes: _Shapes, levels: tuple[Level, ...], size: float
) -> Canal:
    at = np.arange(FIRST_DISC * _TABLE_STEPS, LAST_DISC * _TABLE_STEPS + 1) / _TABLE_STEPS
    roomy = size * float(rng.normal(1.0, 0.05))

    def along(values: F64) -> F64:
        return np.interp(at, _DISCS, values)

    half_depth = roomy * along(_CANAL_HALF_DEPTH)
    opening, shift = np.ones((len(at), 3)), np.zeros(len(at))
    sac = roomy * np.stack([along(_SAC_HALF_WIDTH)] * 2 + [along(_SAC_HALF_DEPTH)], -1)
    sac *= (1 + 0.05 * np.cos(2 * np.pi * (at - 0.5)))[:, None]
    sac *= np.clip((5.6 - at) / 0.7, 0.01, 1)[:, None]
    recess = np.zeros((len(at), 2))
    for level, drawn in enumerate(levels):
        near = np.exp(-(((at - level) / _NARROWING_REACH) ** 2))
        width = 1 - near * (1 - drawn.sac_area**0.36)
        depth = 1 - near * (1 - drawn.sac_area**0.64)
        opening *= np.stack([width, width, depth], -1)
        closed = 1 - np.asarray(drawn.recess)
        opening[:, :2] *= 1 - 0.36 * near[:, None] * closed
        sac *= np.stack([width, width, depth], -1)
        sac[:, :2] *= 1 - 0.26 * near[:, None] * closed
        shift += half_depth * (1 - depth) * (2 * drawn.bulge - 1)
        recess += np.exp(-(((at - level) / 0.26) ** 4))[:, None] * np.asarray(drawn.recess)
    body_gap = along(0.86 * shapes.half_depth) + 2.2
    phase = at - np.round(at)
    return Canal(
        at=at,
        behind=body_gap + half_depth,
        shift=shift,
        half_width=roomy * along(_CANAL_HALF_WIDTH),
        half_depth=half_depth,
        opening=opening,
        sac_half=sac,
        disc_wall=np.exp(-((phase / 0.24) ** 4)) * (at < 4.5),
        recess=recess,
    )


def _vertebra(shapes: _Shapes, canal: Canal, index: int, frame: Frame, details: F64) -> Vertebra:
    level = float(_DISCS[index]) + 0.5
    entry = canal.index(level)
    return Vertebra(
        level=level,
        frame=frame,
        half_height=float(shapes.body_height[index]) / 2,
        half_width=(float(shapes.half_width[index]), float(shapes.half_width[index + 1])),
        half_depth=(float(shapes.half_depth[index]), float(shapes.half_depth[index + 1])),
        canal_half_width=float(canal.half_width[entry]),
        canal_half_depth=float(canal.half_depth[entry]),
        spur=float(details[0]),
        spinous_length=float(details[1]),
        spinous_height=float(details[2]),
    )
