"""Paints discs, vertebral bodies, posterior elements and facet joints.

It knows shapes and tissues, not scanners.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from overread.phantoms.anatomy import SACRUM, Disc, Spine, Vertebra
from overread.phantoms.canvas import Canvas
from overread.phantoms.sampling import (
    F32,
    F64,
    Frame,
    Texture,
    Window,
    cover,
    draw_texture,
    rounded,
)

_CORTEX_MM = 1.1
_SMOOTH_MM = 4.0  # how far neighbouring sacral ellipsoids melt into each other
_CORNERS = tuple(product((-1, 1), repeat=3))


@dataclass(frozen=True)
class Look:
    """What of a person's tissue is not shape: textures and marrow fat."""

    marrow: Texture
    fine: Texture
    marrow_fat: float
    modic: tuple[float, ...]  # by disc, 0 none, > 0 fatty, < 0 inflamed


def draw_look(rng: np.random.Generator, spine: Spine) -> Look:
    """Draw a person's tissue look."""
    strength = []
    for disc in spine.discs:
        ill = rng.random() < 0.45 * max(0.0, disc.degeneration - 0.45)
        strength.append(float(rng.choice([-1, 1, 1]) * rng.uniform(0.4, 1.0)) if ill else 0.0)
    return Look(
        marrow=draw_texture(rng, finest_mm=6, coarsest_mm=30, num_waves=16),
        fine=draw_texture(rng, finest_mm=2.2, coarsest_mm=6),
        marrow_fat=float(np.clip(rng.normal(0.25, 0.2), 0, 0.8)),
        modic=tuple(strength),
    )


def paint_discs(canvas: Canvas, spine: Spine) -> None:
    """Paint all discs that the slice meets; bodies painted later carve their endplates."""
    for disc in spine.discs:
        bulge = 2.6 * disc.degeneration if disc.level < 5 else 0.0
        reach = np.array([disc.half_width + bulge + 2, disc.half_depth + bulge + 2, 0.0])
        reach[2] = disc.height / 2 + 4.0
        window = canvas.plane.box(disc.frame, -reach, reach)
        if window is not None:
            _paint_disc(canvas, disc, window, bulge)


def _paint_disc(canvas: Canvas, disc: Disc, window: Window, bulge: float) -> None:
    left, back, up = canvas.plane.local(disc.frame, window)
    half = disc.height / 2
    near = np.clip(1.0 - (up / np.float32(half + 2.0)) ** 2, 0, 1)
    grown = bulge * near
    radius = rounded(left / (disc.half_width + grown), back / (disc.half_depth + grown))
    edge = (1 - radius) * np.float32(disc.half_depth)
    outline = cover(np.minimum(edge, half + 3.5 - np.abs(up)), canvas.soft_mm)
    canvas.paint(window, outline, "annulus")
    healthy = 1 - disc.degeneration
    pulp = rounded(
        left / (0.74 * disc.half_width), (back - 0.08 * disc.half_depth) / (0.66 * disc.half_depth)
    )
    cleft = 1 - 0.35 * np.exp(-((up / np.float32(0.16 * half + 0.3)) ** 2))
    inside = cover((1 - pulp) * np.float32(8), np.float32(4.5))
    inside *= np.clip(half * 1.05 - np.abs(up), 0, 1) * cleft
    inside *= np.float32(0.06 + 0.94 * healthy**1.3)
    canvas.paint(window, inside, "nucleus")


def paint_bodies(canvas: Canvas, spine: Spine, look: Look) -> None:
    """Paint vertebral bodies with cortex, marrow, endplate changes and the basivertebral vein."""
    for index, vertebra in enumerate(spine.vertebrae):
        wide, deep = max(vertebra.half_width) + 5, max(vertebra.half_depth) + 5
        reach = np.array([wide, deep, vertebra.half_height + 2])
        window = canvas.plane.box(vertebra.frame, -reach, reach)
        if window is not None:
            _paint_body(canvas, vertebra, window, look, look.modic[index : index + 2])


def _paint_body(
    canvas: Canvas, vertebra: Vertebra, window: Window, look: Look, modic: tuple[float, ...]
) -> None:
    left, back, up = canvas.plane.local(vertebra.frame, window)
    half = np.float32(vertebra.half_height)
    high = np.clip(up / half, -1, 1)
    square = high * high
    waist = 1 - 0.11 * (1 - square)
    fourth = square * square
    spur = np.float32(vertebra.spur) * fourth * fourth
    share = (1 + high) / 2
    wide = vertebra.half_width[1] + share * (vertebra.half_width[0] - vertebra.half_width[1])
    deep = vertebra.half_depth[1] + share * (vertebra.half_depth[0] - vertebra.half_depth[1])
    radius = rounded(left / (wide * waist + spur), back / (deep * waist + spur))
    edge = (1 - radius) * deep
    hollow = 1.6 * np.clip(1 - radius, 0, 0.6) if vertebra.level < 4.4 else np.float32(0.0)
    tall = half - hollow - np.abs(up)
    inside = np.minimum(edge, tall)
    canvas.paint(window, cover(inside + 0.5, canvas.soft_mm), "bone")
    texture = 1 + 0.11 * canvas.texture(look.marrow, window)
    texture += 0.10 * canvas.texture(look.fine, window)
    marrow = cover(inside - np.float32(_CORTEX_MM - 0.5), canvas.soft_mm)
    canvas.paint(window, marrow, "marrow", texture=texture)
    canvas.paint(window, marrow * np.float32(0.5 * look.marrow_fat), "fatty_marrow")
    for strength, distance in ((modic[0], half - up), (modic[1], half + up)):
        if strength:
            band = np.exp(-((distance / 6.5) ** 2)) * marrow * np.float32(abs(strength))
            canvas.paint(window, band, "fatty_marrow" if strength > 0 else "inflamed")
    if vertebra.level < 4.4:
        vein = cover(2.2 - np.abs(up) - 0.12 * np.abs(left), 2.0)
        vein *= np.clip((back - 0.25 * deep) / (0.6 * deep), 0, 1) * (np.abs(left) < 9)
        canvas.paint(window, marrow * vein * np.float32(0.7), "slow_blood")


def paint_arches(canvas: Canvas, spine: Spine, look: Look) -> None:
    """Paint pedicles, transverse processes, laminae and spinous processes."""
    _paint_sacrum(canvas, spine, look)
    for vertebra in spine.vertebrae[:SACRUM]:
        if canvas.plane.box(vertebra.frame, *_arch_box(vertebra)) is not None:
            _paint_pedicles(canvas, vertebra, look)
            _paint_lamina(canvas, vertebra, look)


def _arch_box(vertebra: Vertebra) -> tuple[F64, F64]:
    """Return low and high corners of what holds all posterior elements, local mm."""
    deep, width = sum(vertebra.half_depth) / 2, vertebra.canal_half_width + 42.0
    rear = 0.86 * deep + 2 * vertebra.canal_half_depth + 2 * vertebra.spinous_length + 10.0
    below = 0.8 * vertebra.half_height + vertebra.spinous_height + 8.0
    return np.array([-width, deep - 10.0, -below]), np.array([width, rear, below])


def _bone(canvas: Canvas, window: Window, inside: F32, look: Look) -> None:
    canvas.paint(window, cover(inside + np.float32(0.3), canvas.soft_mm), "bone")
    texture = 1 + 0.10 * canvas.texture(look.fine, window)
    inner = cover(inside - np.float32(0.5), canvas.soft_mm)
    canvas.paint(window, inner, "marrow", texture=texture)


def _ellipsoid(
    canvas: Canvas,
    frame: Frame,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    *,
    lean: float = 0.0,
    spread: float = 0.0,
) -> tuple[Window, F32] | None:
    """Return window and signed distance of an ellipsoid that leans back by `lean` per mm down.

    `spread` pushes it back by that much per mm away from the midline (for laminae).
    """
    middle, size = np.asarray(centre), np.asarray(radii)
    slack = np.array([0.0, abs(lean) * radii[2] + abs(spread) * radii[0], 0.0])
    window = canvas.plane.box(frame, middle - size - slack - 1.5, middle + size + slack + 1.5)
    if window is None:
        return None
    x, y, z = canvas.plane.local(frame, window)
    x, y, z = x - np.float32(centre[0]), y - np.float32(centre[1]), z - np.float32(centre[2])
    if lean:
        y = y + np.float32(lean) * z
    if spread:
        y = y - np.float32(np.sign(centre[0]) * spread) * x
    squares = np.zeros(x.shape, np.float32)
    for part, half in zip((x, y, z), radii, strict=True):
        share = part * np.float32(1 / half)
        share *= share
        squares += share
    return window, (1 - np.sqrt(squares, out=squares)) * np.float32(size.min())


def _paint_pedicles(canvas: Canvas, vertebra: Vertebra, look: Look) -> None:
    deep, width = sum(vertebra.half_depth) / 2, vertebra.canal_half_width
    thick = 4.2 + 0.5 * max(0.0, vertebra.level)
    for side in (1, -1):
        place = ((width + thick) * side, deep + 5.0, 0.36 * vertebra.half_height)
        pedicle = _ellipsoid(canvas, vertebra.frame, place, (thick + 1.0, 12.0, 7.2))
        rib = (side * (width + 22.0), deep + 6.0, 0.3 * vertebra.half_height)
        for found in (pedicle, _ellipsoid(canvas, vertebra.frame, rib, (18.0, 3.2, 5.0))):
            if found is not None:
                _bone(canvas, *found, look)


def _paint_sacrum(canvas: Canvas, spine: Spine, look: Look) -> None:
    """Paint each sacral wing as one mass, the smooth union of ellipsoids down the sacrum."""
    parts: list[Disc | Vertebra] = []
    for vertebra, disc in zip(spine.vertebrae[SACRUM:], spine.discs[SACRUM + 1 :], strict=True):
        parts += [vertebra, disc]
    for side in (1, -1):
        wings = []
        for part in parts[:-1]:
            wide, deep = (float(np.mean(size)) for size in (part.half_width, part.half_depth))
            middle = np.array([side * (0.75 * wide + 15), 0.45 * deep, 0.0])
            wings.append((part.frame, middle, np.array([19.0, 0.9 * deep + 6, 22.0])))
        corners = np.concatenate(
            [
                frame.centre + (middle + np.array([x, y, z]) * size) @ frame.axes
                for frame, middle, size in wings
                for x, y, z in _CORNERS
            ]
        ).reshape(-1, 3)
        window = canvas.plane.window(corners)
        if window is not None:
            _paint_wing(canvas, window, wings, look)


def _paint_wing(
    canvas: Canvas, window: Window, wings: list[tuple[Frame, F64, F64]], look: Look
) -> None:
    union: F32 = np.zeros((), np.float32)
    for frame, middle, size in wings:
        place = canvas.plane.local(frame, window)
        squares = np.zeros((), np.float32)
        for part, at, half in zip(place, middle, size, strict=True):
            share = (part - np.float32(at)) * np.float32(1 / half)
            squares = squares + share * share
        distance = (1 - np.sqrt(squares)) * np.float32(size.min() / _SMOOTH_MM)
        np.clip(distance, -20, 20, out=distance)
        union = union + np.exp(distance, out=distance)
    inside = np.log(union) * np.float32(_SMOOTH_MM) - np.float32(0.6 * _SMOOTH_MM)
    canvas.paint(window, cover(inside + np.float32(0.4), canvas.soft_mm), "bone")
    texture = 1 + 0.10 * canvas.texture(look.fine, window)
    marrow = cover(inside - np.float32(0.6), canvas.soft_mm)
    canvas.paint(window, marrow, "marrow", texture=texture)
    canvas.paint(window, marrow * np.float32(0.25 + 0.4 * look.marrow_fat), "fatty_marrow")


def _paint_lamina(canvas: Canvas, vertebra: Vertebra, look: Look) -> None:
    deep, width = sum(vertebra.half_depth) / 2, vertebra.canal_half_width
    behind = 0.86 * deep + 2.2 + 2 * vertebra.canal_half_depth
    half = vertebra.half_height
    for side in (1, -1):
        place = (side * 0.55 * width, behind + 2.5, -0.30 * half)
        found = _ellipsoid(
            canvas, vertebra.frame, place, (0.75 * width, 3.6, 10.5), lean=0.32, spread=-0.55
        )
        if found is not None:
            _bone(canvas, *found, look)
        pars = (side * (width + 2.5), behind - 3.0, -0.35 * half)
        found = _ellipsoid(canvas, vertebra.frame, pars, (4.6, 4.6, 14.5), lean=0.25)
        if found is not None:
            _bone(canvas, *found, look)
    _paint_spinous(canvas, vertebra, look, behind)


def _paint_spinous(canvas: Canvas, vertebra: Vertebra, look: Look, behind: float) -> None:
    half = vertebra.half_height
    length = vertebra.spinous_length
    middle = np.array([0.0, behind + 2.5 + length, -0.50 * half - 3])
    size = np.array([3.4, length, vertebra.spinous_height])
    window = canvas.plane.box(vertebra.frame, middle - size - 5, middle + size + 5)
    if window is None:
        return
    x, y, z = canvas.plane.local(vertebra.frame, window)
    y = (y - np.float32(middle[1])) / np.float32(size[1])
    z = (z - np.float32(middle[2])) + 3.0 * y
    tall = np.float32(size[2]) * (0.88 + 0.24 * y)
    radius = rounded(y, z / tall, square=0.4)
    high, wide = np.float32(size[2]), np.float32(size[0])
    _bone(canvas, window, np.minimum((1 - radius) * high, wide * (1 + 0.3 * y) - np.abs(x)), look)


def paint_facets(canvas: Canvas, spine: Spine) -> None:
    """Paint the facet joints of the lumbar levels, larger where the recess is narrow."""
    for level, drawn in enumerate(spine.levels):
        for side, grown in zip((1, -1), drawn.facet, strict=True):
            _paint_facet(canvas, spine, (level, side), grown)


def _paint_facet(canvas: Canvas, spine: Spine, place: tuple[int, int], grown: float) -> None:
    level, side = place
    entry = spine.canal.index(level)
    width, behind = float(spine.canal.half_width[entry]), float(spine.canal.behind[entry])
    frame = spine.disc(level).frame
    out, back = width + 6.0 - 2.5 * (grown - 1), behind + 7.5
    radii = (7.0 * grown, 7.5 * grown, 12.0 * grown)
    found = _ellipsoid(canvas, frame, (side * out, back, -1.0), radii, lean=0.2)
    if found is None:
        return
    window, inside = found
    canvas.paint(window, cover(inside + np.float32(0.8), canvas.soft_mm), "bone")
    canvas.paint(
        window, cover(inside - np.float32(0.4), canvas.soft_mm) * np.float32(0.9), "marrow"
    )
    x, y, _ = canvas.plane.local(frame, window)
    across = (x - np.float32(side * out)) * np.float32(side * 0.80) - (y - np.float32(back)) * 0.60
    within = cover(inside, canvas.soft_mm)
    canvas.paint(window, within * cover(1.5 - np.abs(across), canvas.soft_mm), "bone")
    gap = cover(0.65 - np.abs(across), canvas.soft_mm)
    canvas.paint(
        window, within * gap * np.float32(1.1 - 0.5 * spine.levels[level].degeneration), "fluid"
    )
