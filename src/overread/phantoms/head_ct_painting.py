"""Paints one slice of a head in HU: from the skin inwards, then blood, then the scanner's faults.

Layers cover each other, so their order is the anatomy. Noise and DICOM are not known here.
"""

from collections.abc import Sequence

import numpy as np

from overread.phantoms.head_ct_anatomy import Anatomy, Brain, Shell
from overread.phantoms.head_ct_bleeds import Bleed, blood
from overread.phantoms.head_ct_fields import F32, Canvas, Points

__all__ = ["paint_head"]

AIR, FAT, MUSCLE, SKIN = -1000.0, -95.0, 52.0, 25.0
MARROW, TABLE, DENSE = 520.0, 1250.0, 1500.0


def paint_head(
    canvas: Canvas, who: Anatomy, p: Points, bleeds: Sequence[Bleed]
) -> dict[str, float]:
    """Paint one slice.

    Args:
        canvas: air.
        who: the head.
        p: places of the nodes in its frame.
        bleeds: of the head.

    Returns:
        The area of visible blood of each kind that may be here, mm2.
    """
    shell = Shell(who, p)
    if shell.skin.min() > 2:
        return {}
    _outside(canvas, shell)
    _bone(canvas, shell)
    brain = Brain(who, p, shell.cavity) if shell.cavity.min() < 1 else None
    if brain is not None:
        _inside(canvas, brain)
    _base(canvas, shell)
    areas = {} if brain is None else _bleeding(canvas, brain, bleeds)
    _hardening(canvas, shell)
    return areas


def _outside(canvas: Canvas, shell: Shell) -> None:
    """Skin, fat, and the muscles of scalp, temple and neck; the face below."""
    p, fibres = shell.p.folded, shell.who.fibres.on(shell.p)
    canvas.paint(shell.skin, SKIN + 4 * fibres)
    canvas.paint(shell.skin + 1.8, FAT + 14 * fibres)
    temple = p.ellipsoid((shell.who.width + 5, -30, -14), (9, 26, 34))
    neck = np.maximum(shell.skin + 5, 1.6 * (p.z + 44) - 0.8 * (p.y - 20) + 6 * fibres)
    cheek = p.ellipsoid((46, -40, -58), (10, 26, 30)) + 1.5 * fibres
    deep = p.ellipsoid((40, -18, -48), (24, 25, 28)) + 2.0 * fibres
    cheek = np.minimum(cheek, np.maximum(deep, shell.skin + 7))
    muscles = np.minimum(np.minimum(np.maximum(temple, shell.skin + 3.5), neck), cheek)
    canvas.paint(muscles + np.abs(fibres) * 1.2 - 0.6, MUSCLE)
    canvas.paint(shell.bone - 1.1, 38.0)


def _bone(canvas: Canvas, shell: Shell) -> None:
    """Two bright tables, and marrow between them."""
    bumps = shell.who.bumps.on(shell.p)
    canvas.paint(shell.bone, TABLE + 60 * bumps)
    marrow = np.maximum(shell.bone + 1.9, 1.9 - shell.cavity)
    canvas.paint(marrow + 0.4 * bumps, MARROW + 130 * bumps, soft_mm=1.6)


def _inside(canvas: Canvas, brain: Brain) -> None:
    """Dura, liquor, brain with its folds, ventricles, falx and veins."""
    who, p = brain.who, brain.q.folded
    white, grey, liquor, vein = who.tissue
    fibres = who.fibres.on(brain.p)
    canvas.paint(brain.cavity, 48.0)
    canvas.paint(brain.cavity + 0.7, liquor + 3)
    canvas.paint(brain.surface, white + 0.7 * fibres, soft_mm=1.2)
    ribbon = np.minimum(brain.depth - 1 - 2.2 * who.age, brain.sulci - max(brain.gap, 0)) - 3.6
    ribbon = np.maximum(ribbon, brain.surface)
    canvas.paint(np.maximum(ribbon, brain.below), grey, soft_mm=2.5)
    canvas.paint(brain.nuclei, grey - 0.5, soft_mm=3.0)
    folia = 1.3 * np.sin(p.z * 0.9 + 0.35 * p.y + fibres)
    canvas.paint(np.maximum(brain.surface, 1 - brain.below), grey - 1.5 + folia, soft_mm=2.0)
    hidden = 1.0 - 0.45 * (1 - who.age)  # narrow sulci fill only part of a thick slice
    spaces = np.maximum(brain.sulci - brain.gap, brain.cavity + 0.6)
    canvas.paint(spaces, white + (liquor + 2 - white) * hidden, soft_mm=1.3)
    canvas.paint(np.maximum(brain.cisterns, brain.cavity + 0.6), liquor + 2, soft_mm=1.6)
    canvas.paint(np.maximum(brain.stem, brain.cavity + 2), white + 2.5 + fibres, soft_mm=1.6)
    canvas.paint(brain.ventricles, liquor, soft_mm=1.3)
    gap = np.maximum(brain.fissure - 0.6 - 0.9 * who.age, brain.cavity + 0.6)
    canvas.paint(gap, white + (liquor + 4 - white) * (0.25 + 0.6 * who.age), soft_mm=1.6)
    canvas.paint(np.maximum(brain.fissure - 0.35, brain.cavity), 50.0, soft_mm=1.2)
    tent = np.maximum(np.abs(brain.below) - 0.6, np.maximum(brain.cavity, 13 - p.x - 0.2 * p.y))
    canvas.paint(tent, 44.0, soft_mm=1.4)
    canvas.paint(np.maximum(brain.sinuses, brain.cavity - 0.5), vein, soft_mm=1.4)
    if who.calcified:
        canvas.paint(p.ellipsoid((0, 30, 3), (2.2, 2.6, 2.4)), 165.0, soft_mm=2.0)
        canvas.paint(p.ellipsoid((22, 37, 10), (2.0, 3.4, 3.0)), 120.0, soft_mm=2.4)


def _base(canvas: Canvas, shell: Shell) -> None:
    """The bones at the base with their air, the orbits and the nose."""
    p, who = shell.p.folded, shell.who
    if p.z.min() > 5:
        _forehead(canvas, shell)
        return
    bumps = who.bumps.on(shell.p)
    petrous = p.chain(((11, 4, -36), (34, 18, -34), (60, 30, -34)), (3.5, 6.5, 9))
    wing = p.chain(((9, -24, -20), (34, -32, -17), (58, -34, -8)), (2.2, 2.6, 2.6))
    clivus = p.chain(((0, 0, -24), (0, 12, -60)), (5, 6))
    sella = p.chain(((0, 4, -20), (9, 5, -20)), (2.0, 1.4))
    body = p.ellipsoid((0, -14, -32), (15, 20, 9))
    cheekbone = p.chain(
        ((38, -84, -50), (60, -62, -46), (67, -28, -42), (66, 4, -40)), (3, 4, 2, 3)
    )
    jaw = p.chain(((54, 4, -46), (52, -8, -66)), (4.5, 3))
    within = shell.vault(who.bone_mm) - 1
    dense = np.minimum.reduce([petrous, wing, clivus, sella, body])
    canvas.paint(np.minimum(cheekbone, jaw), 950.0 + 150 * bumps, soft_mm=1.6)
    canvas.paint(np.maximum(dense, within), DENSE - 300 + 150 * bumps, soft_mm=1.6)
    canvas.paint(np.maximum(petrous + 2, within), DENSE + 150 * bumps, soft_mm=2)
    spongy = np.maximum(np.minimum(clivus, body) + 2.2, within)
    canvas.paint(spongy, 420.0 + 90 * bumps, soft_mm=2)
    cells = np.maximum(p.ellipsoid((61, 34, -42), (9, 13, 15)), 0.3 - bumps)
    ear = p.chain(((48, 16, -36), (who.width + 20, 16, -36)), (2.0, 2.4))
    canvas.paint(np.minimum(cells, ear), -820.0)
    _face(canvas, shell, bumps)
    _forehead(canvas, shell)


def _face(canvas: Canvas, shell: Shell, bumps: F32) -> None:
    """Orbits with eyes, nerves and muscles; air of nose, ethmoid, sphenoid and cheeks."""
    p = shell.p.folded
    orbit = p.chain(((12, -34, -30), (33, -66, -34)), (5, 18.5))
    walls = np.maximum(np.abs(orbit) - 1.4, np.maximum(shell.skin + 9, shell.p.z + 10))
    canvas.paint(walls, 800.0 + 120 * bumps, soft_mm=1.4)
    fat = np.maximum(orbit + 1.0, shell.skin + 2.5)
    canvas.paint(fat, FAT)
    eye = p.ellipsoid((33, -76, -34), (12, 12, 12))
    cords = [
        p.chain(((14, -36, -30), (33, -64, -34)), (1.9, 1.9)),
        p.chain(((13, -38, -30), (22, -62, -34)), (1.4, 2.0)),
        p.chain(((16, -38, -30), (46, -62, -34)), (1.4, 2.0)),
    ]
    canvas.paint(np.maximum(np.minimum.reduce(cords), orbit), 36.0)
    canvas.paint(eye, 52.0)
    canvas.paint(eye + 1.6, 11.0)
    canvas.paint(p.ellipsoid((33, -84.5, -34), (4.6, 2.0, 4.6)), 75.0)
    air = np.minimum.reduce(
        [
            p.ellipsoid((9, -24, -33), (9, 10, 8)),
            np.maximum(p.ellipsoid((6, -58, -32), (11, 24, 16)), 0.45 - np.abs(bumps)),
            np.maximum(p.ellipsoid((5, -66, -60), (11, 32, 20)), 2.0 - p.x + np.abs(bumps)),
            p.ellipsoid((27, -62, -64), (13, 15, 13)),
        ]
    )
    rim = np.maximum(air - 1.5, np.maximum(shell.skin + 5, shell.p.z + 8))
    canvas.paint(rim, 560.0, soft_mm=1.4)
    canvas.paint(np.maximum(air, shell.skin + 5), -960.0)


def _forehead(canvas: Canvas, shell: Shell) -> None:
    """Air in the frontal bone."""
    who, p = shell.who, shell.p.folded
    if who.sinus < 0.15:
        return
    size = who.sinus
    front = -who.length
    air = p.ellipsoid((9, front + 1, -18 + 6 * size), (6 + 16 * size, 7, 8 + 12 * size))
    between = np.maximum(shell.bone + 1.8, np.maximum(1.8 - shell.cavity, 0.7 - p.x))
    canvas.paint(np.maximum(air, between), -900.0)


def _bleeding(canvas: Canvas, brain: Brain, bleeds: Sequence[Bleed]) -> dict[str, float]:
    """Paint edema and blood; return the visible area of each kind, mm2."""
    areas: dict[str, float] = {}
    for bleed in bleeds:
        field = blood(bleed, brain)
        if bleed.form == "ball":
            swollen = np.maximum(field - 1.5 - 7 * bleed.size, brain.surface + 1)
            canvas.paint(swollen, brain.who.tissue[0] - 7, soft_mm=4)
        hu = bleed.hu + 3 * float(np.sin(bleed.place[1]))
        area = canvas.stain(field, hu, strength=bleed.strength)
        areas[bleed.kind] = areas.get(bleed.kind, 0.0) + area
    return areas


def _hardening(canvas: Canvas, shell: Shell) -> None:
    """Brighter below the skull, a dark band between the petrous bones, streaks at the base."""
    p = shell.p.folded
    inside = np.clip(-shell.cavity, 0, 60)
    glow = np.where(shell.cavity < 0, 4.5 * np.exp(-inside / 7), 0).astype(np.float32)
    low = np.exp(-(((p.z + 35) / 7) ** 2))
    band = -15 * low * np.exp(-(((p.y - 20) / 8) ** 2) - (p.x / 36) ** 4)
    streaks = 7 * low * np.sin(0.5 * p.y + 0.12 * shell.p.x) * np.exp(-((p.x / 45) ** 2))
    canvas.add((glow + band + streaks * (shell.cavity < 0)).astype(np.float32))
