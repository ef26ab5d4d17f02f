"""Paints what the grades are about: canal, thecal sac, lateral recesses and neural foramina.

It knows shapes and tissues, not scanners.
"""

from dataclasses import dataclass

import numpy as np

from overread.phantoms.anatomy import (
    FIRST_DISC,
    RECESS_FRONT,
    RECESS_OUT,
    Spine,
    foramen_place,
)
from overread.phantoms.canvas import Canvas
from overread.phantoms.sampling import F32, F64, Window, coarse_steps, cover, rounded

_LAST_LEVEL = 7.0
_CORD_END = -0.6  # level at which the spinal cord ends


@dataclass(frozen=True)
class Roots:
    """The nerve roots of one person's sac: places as shares of the sac, (n, 2), and waves."""

    place: F64
    phase: F64
    cord_end: float


def draw_roots(rng: np.random.Generator) -> Roots:
    """Draw nerve roots, most of them settled in the back of the sac."""
    count = 15
    angle = np.linspace(-0.15 * np.pi, 1.15 * np.pi, count) + rng.normal(0, 0.12, count)
    radius = rng.uniform(0.40, 0.82, count)
    place = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
    return Roots(place, rng.uniform(0, 2 * np.pi, count), float(rng.normal(_CORD_END, 0.25)))


@dataclass(frozen=True)
class _Along:
    """Running coordinates of the pixels of a window: left, behind the axis, and level."""

    left: F32
    back: F32
    level: F32


@dataclass(frozen=True)
class _Place:
    """Pixels relative to the centre of the open canal, with their table entries."""

    left: F32
    back: F32
    level: F32
    entry: F32


def _running(canvas: Canvas, spine: Spine, window: Window, step: int = 4) -> _Along:
    """Interpolate local coordinates between the planes of discs and bodies.

    The level of a pixel is where it lies between the two planes that enclose it.
    """
    rows, up_rows = coarse_steps(window[0].stop - window[0].start, step)
    columns, up_columns = coarse_steps(window[1].stop - window[1].start, step)
    plane = canvas.plane
    across = (window[1].start + columns)[None, :, None] * plane.along_row * plane.spacing[1]
    down = (window[0].start + rows)[:, None, None] * plane.along_column * plane.spacing[0]
    points = plane.origin + across + down
    frames = [spine.discs[0].frame]
    for vertebra, disc in zip(spine.vertebrae, spine.discs[1:], strict=True):
        frames += [vertebra.frame, disc.frame]
    local = np.stack([(points - frame.centre) @ frame.axes.T for frame in frames])
    above = local[..., 2]
    knot = np.clip((np.cumprod(above < 0, axis=0)).sum(0) - 1, 0, len(frames) - 2)[None]
    upper = np.take_along_axis(above, knot, 0)[0]
    lower = np.take_along_axis(above, knot + 1, 0)[0]
    share = np.clip(-upper / np.maximum(lower - upper, 1e-3), -0.5, 1.5)
    fields = [FIRST_DISC + (knot[0] + share) / 2]
    for axis in (0, 1):
        first = np.take_along_axis(local[..., axis], knot, 0)[0]
        second = np.take_along_axis(local[..., axis], knot + 1, 0)[0]
        fields.append(first + share * (second - first))
    level, left, back = (up_rows @ field.astype(np.float32) @ up_columns.T for field in fields)
    return _Along(left, back, level)


def _tube(canvas: Canvas, spine: Spine) -> Window | None:
    """Return the window that holds the canal's stretch near the slice."""
    points = []
    for disc in spine.discs:
        entry = spine.canal.index(disc.level)
        back, deep = float(spine.canal.behind[entry]), float(spine.canal.half_depth[entry]) + 5
        wide = float(spine.canal.half_width[entry]) + 5
        points += [
            disc.frame.world(x, y, z)
            for x in (-wide, wide)
            for y in (back - deep, back + deep)
            for z in (-20.0, 20.0)
        ]
    corners = np.array(points).reshape(len(spine.discs), 8, 3)
    distance = canvas.plane.pixel(corners)[2]
    near = (distance.min(1) < 1) & (distance.max(1) > -1)
    return canvas.plane.window(corners[near].reshape(-1, 3)) if near.any() else None


def paint_canal(canvas: Canvas, spine: Spine, roots: Roots) -> None:
    """Paint ligaments and disc margin, epidural fat, recesses, sac, cord and roots."""
    window = _tube(canvas, spine)
    if window is None:
        return
    along, canal = _running(canvas, spine, window), spine.canal
    entry = np.rint((along.level - np.float32(canal.at[0])) * 64).astype(np.int32)
    np.clip(entry, 0, len(canal.at) - 1, out=entry)

    def table(values: F64) -> F32:
        found: F32 = values.astype(np.float32)[entry]
        return found

    back = along.back - table(canal.behind)
    wide, deep = table(canal.half_width), table(canal.half_depth)
    inside = (along.level < _LAST_LEVEL).astype(np.float32)
    _paint_walls(canvas, window, (along.left, back, wide, deep), table(canal.disc_wall) * inside)
    back -= table(canal.shift)
    open_wide, open_deep = wide * table(canal.opening[:, 0]), deep * table(canal.opening[:, 1])
    radius = rounded(along.left / open_wide, back / open_deep)
    # Posterior epidural fat is a triangle: the opening narrows towards the back.
    radius += np.float32(0.16) * np.abs(along.left) / open_wide * np.clip(back / open_deep, 0, 1)
    canvas.paint(window, cover((1 - radius) * open_deep, canvas.soft_mm) * inside, "fat")
    healthy_back = back + table(canal.shift)
    _paint_recesses(canvas, window, (along, healthy_back, wide, entry), spine)
    place = _Place(along.left, back, along.level, entry)
    _paint_sac(canvas, window, place, spine.canal.sac_half, roots)


def _paint_walls(
    canvas: Canvas, window: Window, place: tuple[F32, F32, F32, F32], disc_wall: F32
) -> None:
    """Paint the dark margin: ligament and cortex everywhere, thick ligaments at the discs."""
    left, back, wide, deep = place
    margin = 0.9 + 2.2 * disc_wall
    radius = rounded(left / (wide + margin), back / (deep + margin))
    edge = cover((1 - radius) * deep, canvas.soft_mm)
    edge *= np.clip(disc_wall * 2 + 0.55, 0, 1) * (disc_wall + 1 > 1e-6)
    canvas.paint(window, edge, "ligament")


def _paint_recesses(
    canvas: Canvas, window: Window, place: tuple[_Along, F32, F32, F32], spine: Spine
) -> None:
    along, back, wide, entry = place
    for column, side in enumerate((1, -1)):
        size = spine.canal.recess[:, column].astype(np.float32)[entry]
        if not size.any():
            continue
        x = along.left * np.float32(side) - np.float32(RECESS_OUT) * wide
        y = back - np.float32(RECESS_FRONT)
        reach = 0.25 + 5.2 * size
        radius = rounded(x / reach, y / (0.25 + 4.6 * size), square=2.0)
        shown = cover((1 - radius) * reach, canvas.soft_mm) * np.clip(size * 6 - 0.3, 0, 1)
        canvas.paint(window, shown, "fat")
        centre = np.sqrt(x * x + y * y)
        canvas.paint(window, cover(1.7 - centre, canvas.soft_mm) * np.clip(size * 6, 0, 1), "root")


def _paint_sac(canvas: Canvas, window: Window, along: _Place, sac_half: F64, roots: Roots) -> None:
    half, entry, back = sac_half.astype(np.float32), along.entry, along.back
    wide = np.where(along.left > 0, half[:, 0][entry], half[:, 1][entry])
    deep = half[:, 2][entry]
    across, through = along.left / wide, back / deep
    radius = rounded(across, through, square=1.6)
    radius += np.float32(0.10) * np.abs(across) * np.clip(through, 0, 1)
    inside = (1 - radius) * np.minimum(wide, deep)
    shown = cover(inside, canvas.soft_mm) * (along.level < 5.5)
    canvas.paint(
        window, cover(inside + np.float32(0.7), canvas.soft_mm) * (along.level < 5.5), "ligament"
    )
    canvas.paint(window, shown, "csf")
    tip = np.clip((np.float32(roots.cord_end) - along.level) * 4, 0, 1) ** 0.6
    cord = rounded(along.left / (4.9 * tip + 0.01), (back - 0.3) / (3.9 * tip + 0.01), square=2.0)
    canvas.paint(window, cover((1 - cord) * 4 * tip, canvas.soft_mm) * shown * (tip > 0.05), "cord")
    below = np.clip((along.level - np.float32(roots.cord_end)) * 3 + 0.6, 0, 1) * shown
    for (x, y), phase in zip(roots.place, roots.phase, strict=True):
        sway = 0.05 * np.sin(along.level * np.float32(2.1) + np.float32(phase))
        dx, dy = (across - np.float32(x) - sway) * wide, (through - np.float32(y) - sway) * deep
        dot = cover(np.float32(0.75) - np.sqrt(dx * dx + dy * dy), canvas.soft_mm)
        dot *= below
        canvas.paint(window, dot * np.float32(0.85), "root")


def paint_foramina(canvas: Canvas, spine: Spine) -> None:
    """Paint the ten foramina: a dark rim, bright fat as far as it is left, and the nerve root."""
    for level, drawn in enumerate(spine.levels):
        for side, size in zip((1, -1), drawn.foramen, strict=True):
            _paint_foramen(canvas, spine, level, side, size)


def _paint_foramen(canvas: Canvas, spine: Spine, level: int, side: int, size: float) -> None:
    frame = spine.disc(level).frame
    out, behind, high = foramen_place(spine, level)
    reach = np.array([8.5, 6.5, 12.5]) * spine.size
    centre = np.array([side * out, behind, high])
    window = canvas.plane.box(frame, centre - reach - 2, centre + reach + 2)
    if window is None:
        return
    x, y, z = canvas.plane.local(frame, window)
    x, y, z = x - np.float32(side * out), y - np.float32(behind), z - np.float32(high)
    # A keyhole: wide above, slit below.
    deep = 5.4 * spine.size * (0.80 + 0.32 * np.tanh((z + 3) * np.float32(0.3)))
    through = np.abs(x / np.float32(8.0 * spine.size)) ** 4
    radius = rounded(y / deep, z / np.float32(11.0 * spine.size), square=1.6) + through
    walls = cover((1 - radius) * 5 + np.float32(0.9), canvas.soft_mm)
    canvas.blend(window, walls, {"annulus": 0.7, "bone": 0.3})
    # Narrowing closes from the front (disc) and from below, and eats the fat round the root.
    tall = np.float32(10.0 * spine.size * (0.45 + 0.55 * size))
    rise = np.float32(3.0 * (1 - size))
    shrunk = deep * np.float32(0.25 + 0.75 * size)
    radius = rounded((y - np.float32(0.6 * (1 - size))) / shrunk, (z - rise) / tall, square=1.6)
    fat = cover((1 - radius - through) * 5, canvas.soft_mm)
    canvas.paint(window, fat * np.float32(np.clip(3.2 * size - 0.35, 0, 1)), "fat")
    thick = np.float32(2.7 * (0.72 + 0.28 * size))
    root = np.sqrt((y - np.float32(0.3)) ** 2 + ((z - np.float32(4.2)) / np.float32(1.25)) ** 2)
    canvas.paint(window, cover(thick - root, canvas.soft_mm) * (through < 0.9), "root")
