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
    coarse_steps,
    cover,
    draw_texture,
    rounded,
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
        rear=64 * spine.size + fat,
        fat=fat,
        fatty_muscle=float(rng.beta(1.5, 2.5)),
        heights=heights,
        course=course,
        streaks=draw_texture(rng, finest_mm=3, coarsest_mm=11, stretch=(1, 1, 6)),
        bowel=draw_texture(rng, finest_mm=18, coarsest_mm=60, num_waves=36),
        fine=draw_texture(rng, finest_mm=3, coarsest_mm=9),
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
    # A groove over the spinous processes.
    depth -= 5 * np.exp(-((left / 16) ** 2)) * (back > 0)
    soft = canvas.soft_mm
    grain = 1 + 0.05 * torso.fine.on(canvas.plane, window)
    canvas.paint(window, cover(depth, soft), "skin")
    canvas.paint(window, cover(depth - 2.0, soft), "fat", texture=grain)
    wall = depth - torso.fat * np.where(back > 0, np.float32(1.0), np.float32(0.8))
    _paint_abdomen(canvas, window, torso, (left, back, up), wall)
    _paint_muscles(canvas, window, torso, (left, back, up), wall)
    _paint_vessels(canvas, window, (left, back, up))


def _paint_abdomen(
    canvas: Canvas, window: Window, torso: Torso, place: tuple[F32, F32, F32], wall: F32
) -> None:
    left, back, _ = place
    soft = canvas.soft_mm
    canvas.paint(window, cover(wall, soft), "muscle")
    cavity = cover(wall - 11, soft) * cover(8 - back, soft)
    folds = torso.bowel.on(canvas.plane, window)
    grain = 1 + 0.12 * torso.fine.on(canvas.plane, window)
    canvas.paint(window, cavity, "fat", texture=1 - 0.06 * folds)
    loops = cover(np.abs(folds) - 0.55, 0.25) * cover(-24 - back, 8.0)
    canvas.paint(window, cavity * loops, "bowel", texture=grain * (1 + 0.2 * folds))
    gas = cover(np.abs(folds) - 1.7, 0.2) * cover(-40 - back, 8.0)
    canvas.paint(window, cavity * gas, "vessel")
    _ = left


def _paint_muscles(
    canvas: Canvas, window: Window, torso: Torso, place: tuple[F32, F32, F32], wall: F32
) -> None:
    left, back, up = place
    soft = canvas.soft_mm
    streaks = torso.streaks.on(canvas.plane, window)
    apart = np.abs(left)
    low = np.clip((40 - up) / 120, 0, 1)
    psoas = rounded(
        (apart - 27 - 11 * low) / (8 + 12 * low), (back - 4) / (12 + 8 * low), square=2.0
    )
    canvas.paint(window, cover((1 - psoas) * 10, soft), "muscle", texture=1 + 0.07 * streaks)
    # Erector spinae and multifidus, in their fascia; fat between the two and at the midline.
    bulk = rounded((apart - 34) / 36, (back - 44) / np.float32(0.5 * torso.rear), square=1.0)
    inside = np.minimum((1 - bulk) * 22, wall - 1)
    texture = 1 + 0.12 * streaks
    canvas.paint(window, cover(inside + 1.5, soft) * cover(back - 12, soft), "fat")
    muscle = cover(inside, soft) * cover(back - 14, soft)
    canvas.paint(window, muscle, "muscle", texture=texture)
    share = 0.25 + 0.75 * torso.fatty_muscle
    fatty = cover(streaks - np.float32(2.1 - 1.7 * share), 0.8)
    fatty += 0.55 * share * np.exp(-(((apart - 24 - 0.15 * back) / 2.2) ** 2))
    canvas.paint(window, muscle * np.clip(fatty, 0, 0.9), "fat")
    between = np.exp(-((left / 4.5) ** 2)) * cover(back - 22, soft) * cover(wall - 2, soft)
    canvas.paint(window, between * np.float32(0.9), "muscle", texture=1.5 + 0.5 * streaks)
    fascia = np.exp(-((inside / 1.1) ** 2)) * cover(back - 20, soft) * (wall > -3)
    canvas.paint(window, np.float32(0.7) * fascia, "ligament")


def _paint_vessels(canvas: Canvas, window: Window, place: tuple[F32, F32, F32]) -> None:
    left, back, up = place
    soft = canvas.soft_mm
    split = np.clip((-45 - up) / 60, 0, 1)
    for side, tissue, radius in ((1, "vessel", 8.5), (-1, "slow_blood", 9.5)):
        for branch in (1, -1):
            x = left - side * 11 - branch * 16 * split
            size = np.float32(radius) * (1 - 0.3 * (split > 0))
            y = back + 30 - 8 * split
            inside = size - np.sqrt(x * x + y * y)
            canvas.paint(window, cover(inside + 1, soft), "ligament")
            canvas.paint(window, cover(inside, soft), tissue)
