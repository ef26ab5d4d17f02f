"""Paints what lies around the spine: skin, fat, muscle, abdomen, great vessels.

It knows shapes and tissues, not scanners.
"""

from dataclasses import dataclass

import numpy as np

from overread.phantoms.anatomy import Spine
from overread.phantoms.canvas import Canvas
from overread.phantoms.sampling import (
    F32,
    F64,
    Texture,
    Window,
    bounds,
    coarse_steps,
    cover,
    draw_texture,
    rounded,
    shifted,
)


@dataclass(frozen=True)
class Torso:
    """A person's outer sizes in mm and textures.

    Attributes:
        half_width: of the trunk.
        front: distance of the belly's skin in front of the spine's axis.
        rear: distance of the back's skin behind the spine's axis.
        fat: thickness of subcutaneous fat at the back.
        fatty_muscle: 0 lean to 1 streaked with fat.
        heights: world z of the table of the spine's course.
        course: (n, 2) world x and y of the spine's axis at these heights, smoothed.
    """

    half_width: float
    front: float
    rear: float
    fat: float
    fatty_muscle: float
    heights: F64
    course: F64
    streaks: Texture
    bowel: Texture
    fine: Texture


def draw_torso(rng: np.random.Generator, spine: Spine) -> Torso:
    """Draw the trunk around a spine."""
    centres = np.array([disc.frame.centre for disc in spine.discs])[::-1]
    heights = np.linspace(-330, 330, 133)
    course = np.stack([np.interp(heights, centres[:, 2], centres[:, i]) for i in (0, 1)], -1)
    kernel = np.exp(-(np.arange(-8, 9) ** 2) / 18)
    padded = np.pad(course, ((8, 8), (0, 0)), mode="edge")
    course = np.stack(
        [np.convolve(padded[:, i], kernel / kernel.sum(), "valid") for i in (0, 1)], -1
    )
    fat = float(np.clip(rng.lognormal(np.log(15), 0.5), 5, 50))
    return Torso(
        half_width=150 * spine.size + fat,
        front=float(rng.uniform(95, 130)) + 1.5 * fat,
        rear=73 * spine.size + fat,
        fat=fat,
        fatty_muscle=float(rng.beta(1.5, 2.5)),
        heights=heights,
        course=course,
        streaks=draw_texture(rng, finest_mm=4, coarsest_mm=17, stretch=(1, 1, 5), num_waves=26),
        bowel=draw_texture(rng, finest_mm=18, coarsest_mm=60, num_waves=24),
        fine=draw_texture(rng, finest_mm=3, coarsest_mm=14, num_waves=26),
    )


def _around(canvas: Canvas, torso: Torso) -> tuple[F32, F32, F32]:
    """Return (left, back, up) of all pixels relative to the spine's smoothed course."""
    plane = canvas.plane
    rows, up_rows = coarse_steps(plane.shape[0], 4)
    columns, up_columns = coarse_steps(plane.shape[1], 4)
    across = columns[None, :, None] * plane.along_row * plane.spacing[1]
    down = rows[:, None, None] * plane.along_column * plane.spacing[0]
    points = plane.origin + across + down
    height = points[..., 2]
    fields = [
        points[..., 0] - np.interp(height, torso.heights, torso.course[:, 0]),
        points[..., 1] - np.interp(height, torso.heights, torso.course[:, 1]),
        height,
    ]
    left, back, up = (up_rows @ field.astype(np.float32) @ up_columns.T for field in fields)
    return left, back, up


def paint_torso(canvas: Canvas, torso: Torso) -> None:
    """Paint the trunk, without the spine."""
    window = canvas.plane.whole()
    left, back, up = _around(canvas, torso)
    middle = (torso.rear - torso.front) / 2
    half = (torso.rear + torso.front) / 2
    radius = rounded(left / np.float32(torso.half_width), (back - middle) / np.float32(half))
    depth = (1 - radius) * np.float32(half)
    behind = back > 0
    # A groove over the spinous processes.
    depth -= 5 * np.exp(-((left / 16) ** 2)) * behind
    soft = canvas.soft_mm
    grain = canvas.texture(torso.fine, window)
    canvas.paint(window, cover(depth, soft), "skin")
    canvas.paint(window, cover(depth - 2.0, soft), "fat", texture=1 + 0.035 * grain)
    wall = depth - np.float32(torso.fat) * np.where(behind, np.float32(1.0), np.float32(0.8))
    place = _Place(window, left, back, up, wall)
    rear = back > -18
    flank = (back < 18) & (np.abs(left) > 75)
    for paint, where in ((_paint_abdomen, ~rear | flank), (_paint_muscles, rear)):
        part = place.within(where & (wall > -3))
        if part is not None:
            paint(canvas, torso, part)
    _paint_vessels(canvas, place)


@dataclass(frozen=True)
class _Place:
    """Pixels relative to the spine's course, and their depth below the subcutaneous fat, mm."""

    window: Window
    left: F32
    back: F32
    up: F32
    wall: F32

    def within(self, mask: F32) -> "_Place | None":
        """Return the smallest part that holds all true pixels of a mask, None if there are none."""
        part = bounds(mask)
        if part is None:
            return None
        fields = (field[part] for field in (self.left, self.back, self.up, self.wall))
        return _Place(shifted(part, self.window), *fields)


def _paint_abdomen(canvas: Canvas, torso: Torso, place: _Place) -> None:
    """Paint the abdominal wall, and bowel loops in front of the great vessels."""
    window, soft, back = place.window, canvas.soft_mm, place.back
    grain = canvas.texture(torso.fine, window)
    ring = cover(place.wall, soft) * cover(11 - place.wall, soft) * cover(14 - back, 6.0)
    canvas.paint(window, ring, "muscle")
    folds = canvas.texture(torso.bowel, window)
    haze = 1 - 0.05 * np.clip(folds, -2, 2)
    front = cover(place.wall - 12, soft) * cover(
        -20 - back + 7 * folds - 16 * np.exp(-((place.left / 24) ** 2)), 5.0
    )
    canvas.paint(window, front * np.float32(0.45), "organ", texture=haze)
    loops = front * cover(folds + np.float32(0.15), 0.30)
    canvas.paint(window, loops * np.float32(0.9), "bowel", texture=1 + 0.13 * grain + 0.25 * haze)
    gas = front * cover(folds - np.float32(1.8), 0.5)
    canvas.paint(window, gas * np.float32(0.9), "vessel")
    lumen = front * cover(folds - np.float32(0.55), 0.5) * cover(np.float32(1.1) - folds, 0.3)
    canvas.paint(window, lumen * np.float32(0.5), "fluid", texture=1 + 0.2 * grain)


def _paint_muscles(canvas: Canvas, torso: Torso, place: _Place) -> None:
    """Paint each muscle on the smallest window that can hold it."""
    apart, back = np.abs(place.left), place.back
    front = back < 34
    psoas = place.within((apart > 16) & (apart < 64) & front)
    if psoas is not None:
        _paint_psoas(canvas, torso, psoas)
    quadratus = place.within((apart > 42) & (apart < 78) & front & (back > 6))
    if quadratus is not None:
        _paint_quadratus(canvas, torso, quadratus)
    behind = (back > 12) & (place.wall > -3)
    rear = place.within(behind & (apart < 78))
    if rear is not None:
        _paint_back_muscles(canvas, torso, rear)
    middle = place.within(behind & (apart < 10))
    if middle is not None:
        _paint_midline(canvas, torso, middle)
    if rear is not None:
        _paint_fascia(canvas, rear)


def _paint_psoas(canvas: Canvas, torso: Torso, place: _Place) -> None:
    low = np.clip((45 - place.up) / 120, 0, 1)
    across = (np.abs(place.left) - 29 - 10 * low) / (9 + 11 * low)
    radius = rounded(across, (place.back - 5) / (12 + 8 * low), square=2.0)
    texture = 1 + 0.08 * canvas.texture(torso.streaks, place.window)
    shown = cover((1 - radius) * 10, canvas.soft_mm)
    canvas.paint(place.window, shown, "muscle", texture=texture)


def _paint_quadratus(canvas: Canvas, torso: Torso, place: _Place) -> None:
    apart, soft = np.abs(place.left), canvas.soft_mm
    leaning = (place.back - 20 - 0.12 * (60 - apart)) / 8.5
    radius = rounded((apart - 60) / 15, leaning, square=2.0)
    texture = 1 + 0.08 * canvas.texture(torso.streaks, place.window)
    shown = cover((1 - radius) * 8, soft) * cover(place.wall - 1, soft)
    canvas.paint(place.window, shown, "muscle", texture=texture)


def _paint_back_muscles(canvas: Canvas, torso: Torso, place: _Place) -> None:
    """Paint erector spinae and multifidus with fat between them."""
    window, soft = place.window, canvas.soft_mm
    apart, back, wall = np.abs(place.left), place.back, place.wall
    streaks = canvas.texture(torso.streaks, window)
    rear = np.float32(torso.rear - torso.fat)
    middle = np.float32(0.5) * (rear + 20) + np.float32(0.10) * (36 - apart)
    half = np.float32(0.5) * (rear - 16)
    bulk = rounded((apart - 33) / 37, (back - middle) / half, square=1.3)
    inside = np.minimum((1 - bulk) * half, wall - 0.5)
    muscle = cover(inside, soft)
    canvas.paint(window, muscle, "muscle", texture=1 + 0.13 * streaks)
    share = np.float32(0.15 + 0.85 * torso.fatty_muscle)
    lower = np.clip((20 - place.up) / 160, 0, 1)
    deep = np.clip(1.2 - 0.5 * apart / 20, 0, 0.7) + 0.5 * lower
    fatty = cover(streaks - (np.float32(2.3) - share * (1.1 + deep)), 1.3)
    cleft = (apart - 25 - 0.18 * (back - 40) - 2.2 * streaks) * np.float32(1 / 1.5)
    cleft *= cleft
    strip = np.exp(np.negative(cleft, out=cleft), out=cleft)
    fatty += (0.25 + 0.5 * share) * strip * cover(back - 32, 8.0)
    canvas.paint(window, muscle * np.minimum(fatty, np.float32(0.9)), "fat")


def _paint_midline(canvas: Canvas, torso: Torso, place: _Place) -> None:
    """Paint the ligaments between the spinous processes."""
    soft = canvas.soft_mm
    shown = np.exp(-((place.left / 3.6) ** 2)) * cover(place.back - 24, soft)
    shown *= cover(place.wall - 1.5, soft) * np.float32(0.9)
    texture = 1.55 + 0.45 * canvas.texture(torso.streaks, place.window)
    canvas.paint(place.window, shown, "muscle", texture=texture)


def _paint_fascia(canvas: Canvas, place: _Place) -> None:
    """Paint the dark sheet over the back muscles."""
    sheet = np.exp(-(((place.wall - 0.5) / 0.9) ** 2)) * np.float32(0.75)
    sheet *= cover(place.back - 24, 6.0) * cover(72 - np.abs(place.left), 12.0)
    canvas.paint(place.window, sheet, "ligament")


def _paint_vessels(canvas: Canvas, place: _Place) -> None:
    """Paint aorta and vena cava; both part at L4."""
    soft = canvas.soft_mm
    level = (place.back < -8) & (place.back > -56)
    for side, tissue, radius in ((1, "vessel", 8.0), (-1, "slow_blood", 9.0)):
        here = place.within(level & (np.abs(place.left - side * 11) < 33))
        if here is None:
            continue
        split = np.clip((-38 - here.up) / 70, 0, 1)
        apart = 17 * split + 3 * np.sqrt(split)
        x = np.abs(here.left - side * 11) - apart  # from the nearer of the two branches
        size = np.float32(radius) * (1 - 0.35 * np.minimum(split * 5, np.float32(1)))
        y = here.back + 30 - 6 * split
        inside = size - np.sqrt(x * x + y * y)
        canvas.paint(here.window, cover(inside + 1, soft) * np.float32(0.8), "ligament")
        canvas.paint(here.window, cover(inside, soft), tissue)
