"""Paints the spinal canal: ligaments, epidural fat, lateral recesses, sac, cord and roots.

It knows shapes and tissues, not scanners.
"""

from dataclasses import dataclass

import numpy as np

from overread.phantoms.anatomy import (
    FIRST_DISC,
    RECESS_FRONT,
    RECESS_OUT,
    Spine,
)
from overread.phantoms.canvas import Canvas
from overread.phantoms.sampling import (
    F32,
    F64,
    Window,
    bounds,
    coarse_steps,
    cover,
    rounded,
    shifted,
)

_LAST_LEVEL = 7.0
_FAR_MM = 99.0  # where planes have crossed behind the sacrum there is no canal
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


def _frames(spine: Spine) -> tuple[F64, F64]:
    """Return centres (n, 3) and axes (n, 3, 3) of discs and bodies in turn, head to feet."""
    frames = [spine.discs[0].frame]
    for vertebra, disc in zip(spine.vertebrae, spine.discs[1:], strict=True):
        frames += [vertebra.frame, disc.frame]
    return np.array([one.centre for one in frames]), np.array([one.axes for one in frames])


def _running(canvas: Canvas, spine: Spine, window: Window, step: int = 4) -> _Along:
    """Interpolate local coordinates between the planes of discs and bodies.

    The level of a pixel is where it lies between the two planes that enclose it.
    """
    rows, up_rows = coarse_steps(window[0].stop - window[0].start, step)
    columns, up_columns = coarse_steps(window[1].stop - window[1].start, step)
    plane = canvas.plane
    across = (window[1].start + columns) * plane.spacing[1]
    down = (window[0].start + rows) * plane.spacing[0]
    centres, axes = _frames(spine)
    # Local coordinates are start + per_row * down + per_column * across, (frames, 3) each.
    start = np.einsum("fij,fj->fi", axes, plane.origin - centres)
    per_row, per_column = axes @ plane.along_column, axes @ plane.along_row
    above = (start[:, 2, None] + per_row[:, 2, None] * down)[:, :, None]
    above = above + (per_column[:, 2, None] * across)[:, None, :]
    # The first frame that a point is not below ends its stretch.
    below = np.logical_and.accumulate(above < 0, axis=0)
    knot = np.clip(below.sum(0) - 1, 0, len(axes) - 2)
    upper, lower = (np.take_along_axis(above, knot[None] + i, 0)[0] for i in (0, 1))
    share = np.clip(-upper / np.maximum(lower - upper, 1e-3), -0.5, 1.5)
    fields = [FIRST_DISC + (knot + share) / 2]
    for axis in (0, 1):
        first, second = (
            start[at, axis] + per_row[at, axis] * down[:, None] + per_column[at, axis] * across
            for at in (knot, knot + 1)
        )
        fields.append(np.where(lower - upper > 2, first + share * (second - first), _FAR_MM))
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
    disc_wall = table(canal.disc_wall)
    # Between the laminae the canal is a V, with fat in its tip.
    tip = disc_wall * np.float32(3.4) * np.clip(1 - np.abs(along.left) / 8, 0, 1) * (back > 0)
    inside = (along.level < _LAST_LEVEL).astype(np.float32)
    _paint_walls(canvas, window, (along.left, back, wide, deep + tip), disc_wall, inside)
    healthy_back = back
    back = back - table(canal.shift)
    side = np.where(along.left > 0, table(canal.opening[:, 0]), table(canal.opening[:, 1]))
    squeeze = table(canal.opening[:, 2])
    open_wide, open_deep = wide * side, deep * squeeze + tip * (1.5 * squeeze - 0.5)
    radius = rounded(along.left / open_wide, back / open_deep)
    radius += np.float32(0.16) * np.abs(along.left) / open_wide * np.clip(back / open_deep, 0, 1)
    canvas.paint(window, cover((1 - radius) * open_deep, canvas.soft_mm) * inside, "fat")
    _paint_recesses(canvas, window, (along, healthy_back, wide, entry), spine)
    place = _Place(along.left, back, along.level, entry)
    _paint_sac(canvas, window, place, spine.canal.sac_half, roots)


def _paint_walls(
    canvas: Canvas, window: Window, place: tuple[F32, F32, F32, F32], disc_wall: F32, inside: F32
) -> None:
    """Paint the dark margin: ligament and cortex everywhere, thick ligaments at the discs."""
    left, back, wide, deep = place
    margin = 0.9 + 2.2 * disc_wall
    radius = rounded(left / (wide + margin), back / (deep + margin))
    edge = cover((1 - radius) * deep, canvas.soft_mm)
    edge *= np.clip(disc_wall * 2 + 0.55, 0, 1) * inside
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
    dura = cover(inside + np.float32(0.6), canvas.soft_mm) * (along.level < 5.5)
    canvas.paint(window, 0.6 * dura, "ligament")
    canvas.paint(window, shown, "csf")
    here = bounds(shown > 0)
    if here is None:
        return
    inner = shifted(here, window)
    level, left, back = along.level[here], along.left[here], back[here]
    across, through, wide, deep = across[here], through[here], wide[here], deep[here]
    tip = np.clip((np.float32(roots.cord_end) - level) * 4, 0, 1) ** 0.6
    cord = rounded(left / (4.9 * tip + 0.01), (back - 0.3) / (3.9 * tip + 0.01), square=2.0)
    within = cover((1 - cord) * 4 * tip, canvas.soft_mm) * shown[here] * (tip > 0.05)
    canvas.paint(inner, within, "cord")
    below = np.clip((level - np.float32(roots.cord_end)) * 3 + 0.6, 0, 1) * shown[here]
    below *= np.float32(0.8)
    wave = level * np.float32(2.1)
    sine, cosine = 0.05 * np.sin(wave), 0.05 * np.cos(wave)
    free = np.ones_like(below)  # share that no root covers
    for (x, y), phase in zip(roots.place, roots.phase, strict=True):
        sway = sine * np.float32(np.cos(phase)) + cosine * np.float32(np.sin(phase))
        dx, dy = (across - np.float32(x) - sway) * wide, (through - np.float32(y) - sway) * deep
        dx *= dx
        dy *= dy
        dx += dy
        dot = cover(np.float32(0.65) - np.sqrt(dx, out=dx), canvas.soft_mm)
        dot *= below
        free *= 1 - dot
    canvas.paint(inner, 1 - free, "root")
