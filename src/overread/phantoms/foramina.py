"""Paints the neural foramina: a dark rim, bright fat as far as it is left, and the nerve root.

It knows shapes and tissues, not scanners.
"""

import numpy as np

from overread.phantoms.anatomy import Spine, foramen_place
from overread.phantoms.canvas import Canvas
from overread.phantoms.sampling import cover, rounded


def paint_foramina(canvas: Canvas, spine: Spine) -> None:
    """Paint the ten foramina of a spine."""
    for level, drawn in enumerate(spine.levels):
        for side, size in zip((1, -1), drawn.foramen, strict=True):
            _paint_foramen(canvas, spine, level, side, size)


def _paint_foramen(canvas: Canvas, spine: Spine, level: int, side: int, size: float) -> None:
    frame = spine.disc(level).frame
    out, behind, high = foramen_place(spine, level)
    reach = np.array([15.0, 9.5, 12.5]) * spine.size
    centre = np.array([side * (out + 5), behind - 3.5, high])
    window = canvas.plane.box(frame, centre - reach - 2, centre + reach + 2)
    if window is None:
        return
    x, y, z = canvas.plane.local(frame, window)
    x, y, z = x * np.float32(side) - np.float32(out), y - np.float32(behind), z - np.float32(high)
    y += 0.35 * np.clip(x - 2, 0, 20)  # outside it turns forwards
    # A keyhole: wide above, slit below. It starts at the canal and opens into fat outside.
    deep = 5.4 * spine.size * (0.80 + 0.32 * np.tanh((z + 3) * np.float32(0.3)))
    inwards = np.clip(x * np.float32(-1 / (7.5 * spine.size)), 0, 2)
    inwards *= inwards
    inwards *= inwards
    outwards = np.clip(x * np.float32(1 / (17.0 * spine.size)), 0, 2)
    outwards *= outwards * outwards
    radius = rounded(y / deep, z / np.float32(11.0 * spine.size), square=1.6) + inwards
    walls = cover((1 - radius) * 5 + np.float32(0.6), canvas.soft_mm) * cover(8 - x, 3.0)
    canvas.blend(window, walls, {"annulus": 0.7, "bone": 0.3})
    # Narrowing closes from the front (disc) and from below, and eats the fat round the root.
    loose = np.clip(x / 9 - 0.6, 0, 1) * (1 - size) * 0.8 + size  # outside it stays open
    tall = 10.0 * spine.size * (0.42 + 0.58 * loose)
    shrunk = deep * (0.22 + 0.78 * loose)
    middle = 0.6 * (1 - loose)
    radius = rounded((y - middle) / shrunk, (z - 3.0 * (1 - loose)) / tall, square=1.6)
    fat = cover((1 - radius - inwards - outwards) * 5, canvas.soft_mm)
    canvas.paint(window, fat * np.clip(3.2 * loose - 0.45, 0, 1), "fat")
    thick = np.float32(2.7 * (0.72 + 0.28 * size))
    along = y - np.float32(0.3) - 0.25 * np.clip(x, 0, 20)
    root = np.sqrt(along * along + ((z - 4.2 + 0.35 * np.clip(x, -5, 20)) / 1.25) ** 2)
    shown = cover(thick - root, canvas.soft_mm) * (inwards < 0.9) * cover(14 - x, 3.0)
    canvas.paint(window, shown, "root")
