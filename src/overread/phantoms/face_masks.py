"""Masks, laid over a face as it lies: several kinds, worn and worn wrongly.

Cloth is shaded by the face's own light, so that it does not look pasted. Faces are not known here,
only their shape.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from overread.phantoms.face_shape import FaceShape

__all__ = ["KINDS", "Fit", "lay_mask"]

Floats = NDArray[np.float64]
Fit = Literal["worn", "nose_out", "chin"]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Kind:
    """A kind of mask.

    Attributes:
        colours: to choose from, 0-1.
        pleats: number of folds across; 0 = none.
        seam: a ridge down the middle, as beak-shaped masks have it.
        pattern: share of masks with stripes or dots.
        width: share of the face that it covers.
        peak: how far the upper edge rises to the nose, in shares of nose to bridge.
        strip: a stiff strip above the nose.
    """

    colours: tuple[Colour, ...]
    pleats: int = 0
    seam: bool = False
    pattern: float = 0.0
    width: float = 0.9
    peak: float = 1.0
    strip: bool = False


KINDS: dict[str, Kind] = {
    "surgical": Kind(
        ((0.62, 0.80, 0.90), (0.55, 0.76, 0.86), (0.93, 0.95, 0.96), (0.70, 0.86, 0.80),
         (0.92, 0.74, 0.80)),
        pleats=3, strip=True,
    ),
    "beak": Kind(
        ((0.95, 0.95, 0.94), (0.13, 0.13, 0.15), (0.72, 0.73, 0.76), (0.90, 0.86, 0.80)),
        seam=True, peak=1.15,
    ),
    "cloth": Kind(
        ((0.10, 0.10, 0.12), (0.20, 0.26, 0.42), (0.45, 0.47, 0.50), (0.56, 0.18, 0.22),
         (0.30, 0.42, 0.33), (0.90, 0.88, 0.82), (0.85, 0.62, 0.55)),
        pattern=0.4, width=0.88,
    ),
    "sponge": Kind(
        ((0.16, 0.16, 0.18), (0.52, 0.54, 0.57), (0.80, 0.70, 0.72)), seam=True, width=0.84,
        peak=0.9,
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cut:
    """Where the cloth lies: its own coordinates at every pixel.

    Attributes:
        across: -1 at the small side, 0 on the ridge of the nose, 1 at the other.
        down: 0 at the upper edge, 1 at the lower.
        cover: 0-1, how much of the pixel is cloth.
        top, bottom: rows of the edges at the sides, for the loops.
        width: share of the face that is covered.
    """

    across: Floats
    down: Floats
    cover: Floats
    top: float
    bottom: float
    width: float


def lay_mask(
    image: NDArray[np.uint8],
    shape: FaceShape,
    *,
    kind: str,
    fit: Fit,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return the picture of the face with a mask on.

    Args:
        image: (rows, columns, 3).
        shape: of the face in it.
        kind: one of `KINDS`.
        fit: "worn" over nose and chin, "nose_out" below the nose, "chin" below the mouth.
        rng: of colour, pattern and how neatly it sits.
    """
    cloth = KINDS[kind]
    cut = _cut(image.shape[:2], shape, cloth, fit, rng)
    light = _light(image, cut.cover)
    colour = _painted(cut, cloth, rng) * light[..., None]
    base = image / 255.0
    base = base * (1 - 0.35 * _shadow(cut.cover, shape))[..., None]
    base = _looped(base, shape, cut, light, rng)
    cover = cut.cover[..., None]
    mixed = base * (1 - cover) + colour * cover
    grain = rng.normal(0, 0.008, image.shape[:2])[..., None] * cover
    return np.asarray(np.round(np.clip(mixed + grain, 0, 1) * 255), np.uint8)


def _edges(
    shape: FaceShape, cloth: Kind, fit: Fit, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Return rows of the upper edge at the nose and at the sides, and of the lower edge alike."""
    face = shape.chin - shape.eyes
    slack = rng.uniform(-0.03, 0.03, 4) * face
    if fit == "worn":
        top = shape.nose - cloth.peak * (shape.nose - shape.bridge) * rng.uniform(0.75, 1.0)
        edges = (
            top,
            shape.bridge + 0.17 * face,
            shape.chin + 0.04 * face,
            shape.mouth + 0.1 * face,
        )
    elif fit == "nose_out":
        below = rng.uniform(0.1, 0.4)
        top = shape.nose + (0.05 + 0.35 * below) * (shape.mouth - shape.nose) + 0.03 * face
        edges = (top, shape.nose + 0.02 * face, shape.chin + 0.08 * face, shape.mouth + 0.18 * face)
        slack[0] = abs(slack[0])
    else:
        top = shape.mouth + rng.uniform(0.3, 0.5) * (shape.chin - shape.mouth)
        edges = (top, shape.mouth - 0.02 * face, shape.chin + 0.2 * face, shape.chin - 0.02 * face)
    top, top_side, bottom, bottom_side = np.array(edges) + slack
    return float(top), float(top_side), float(bottom), float(bottom_side)


def _cut(
    size: tuple[int, int], shape: FaceShape, cloth: Kind, fit: Fit, rng: np.random.Generator
) -> Cut:
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    tilt = rng.normal(0, 0.03)
    y = y + tilt * (x - shape.axis)
    top, top_side, bottom, bottom_side = _edges(shape, cloth, fit, rng)
    left, right = shape.sides(np.minimum(y[:, 0], shape.chin - 0.12 * (shape.chin - shape.eyes)))
    half = np.where(x < shape.axis, shape.axis - left[:, None], right[:, None] - shape.axis)
    across = (x - shape.axis) / np.maximum(half, 4) / cloth.width
    bend = np.clip(np.abs(across), 0, 1.3)
    upper = top + (top_side - top) * bend**1.5
    lower = bottom + (bottom_side - bottom) * bend**2.6
    down = (y - upper) / np.maximum(lower - upper, 1)
    inside = np.minimum(
        np.minimum(y - upper, lower - y), (1 - np.abs(across)) * np.maximum(half, 4)
    )
    cover = np.clip(inside / 1.5 + 0.5, 0, 1)
    return Cut(across, down, cover, top_side, bottom_side, cloth.width)


def _light(image: NDArray[np.uint8], cover: Floats) -> Floats:
    """Return how bright the face is below the cloth, smooth and about 1 in a well lit picture."""
    grey = image.mean(axis=-1) / 255
    reach = image.shape[1] / 14
    near = gaussian_filter(cover, reach) + 1e-3
    smooth = gaussian_filter(grey * cover, reach) / near
    level = float((smooth * cover).sum() / max(cover.sum(), 1))
    # Dark skin in good light must not darken the cloth: the brightest of the picture tells.
    lamp = float(np.clip(np.percentile(grey, 97) * 1.08, 0.35, 1.05))
    relative = np.clip(smooth / max(level, 0.05), 0.6, 1.5) ** 0.55
    return np.asarray(lamp * relative)


def _painted(cut: Cut, cloth: Kind, rng: np.random.Generator) -> Floats:
    """Return (rows, columns, 3) of the cloth in even light, with its own form."""
    colour = np.array(cloth.colours[rng.integers(len(cloth.colours))])
    colour = np.clip(colour + rng.normal(0, 0.02, 3), 0.04, 0.98)
    form = 1 - 0.24 * np.clip(np.abs(cut.across), 0, 1) ** 2.5 - 0.10 * np.clip(cut.down, 0, 1) ** 3
    if cloth.pleats:
        phase = np.clip((cut.down - 0.22) / 0.56, 0, 1) * cloth.pleats
        step = phase - np.floor(phase)
        inside = (phase > 0) & (phase < cloth.pleats)
        form -= np.where(inside, 0.13 * np.exp(-(((step - 0.5) / 0.09) ** 2)), 0)
        form += np.where(inside, 0.04 * np.exp(-(((step - 0.3) / 0.1) ** 2)), 0)
    if cloth.seam:
        form -= 0.10 * np.exp(-((cut.across / 0.02) ** 2))
        form += 0.07 * np.exp(-(((cut.across - rng.choice((-0.12, 0.12))) / 0.16) ** 2))
    if cloth.strip:
        form += 0.06 * np.exp(-(((cut.down - 0.07) / 0.03) ** 2)) * (np.abs(cut.across) < 0.45)
    hem = np.minimum(cut.down, 1 - cut.down)
    form -= 0.07 * np.exp(-(((hem - 0.035) / 0.012) ** 2))
    painted = colour * form[..., None]
    if rng.random() < cloth.pattern:
        painted = _patterned(painted, cut, form, rng)
    return np.asarray(painted)


def _patterned(painted: Floats, cut: Cut, form: Floats, rng: np.random.Generator) -> Floats:
    second = rng.uniform(0.1, 0.95, 3) * form[..., None]
    number = rng.integers(5, 10)
    if rng.random() < 0.5:
        wave = np.sin(np.pi * number * (cut.down + 0.3 * cut.across))
    else:
        wave = np.sin(np.pi * number * cut.down) * np.sin(np.pi * number * cut.across) - 0.35
    share = np.clip(wave * 4, 0, 1)[..., None]
    return np.asarray(painted * (1 - share) + second * share)


def _shadow(cover: Floats, shape: FaceShape) -> Floats:
    """Return the soft shadow that cloth throws on what lies around it, mostly below."""
    reach = (shape.chin - shape.eyes) / 30
    moved = np.roll(cover, round(reach), axis=0)
    moved[: round(reach)] = 0
    return np.asarray(gaussian_filter(moved, reach) * (1 - cover))


def _looped(
    base: Floats, shape: FaceShape, cut: Cut, light: Floats, rng: np.random.Generator
) -> Floats:
    """Draw the loops from the corners of the mask to the ears."""
    colour = np.array((0.88, 0.88, 0.88) if rng.random() < 0.7 else (0.12, 0.12, 0.13))
    thick = (shape.right - shape.left) / 200 + 0.3
    face = shape.chin - shape.eyes
    y, x = np.mgrid[: base.shape[0], : base.shape[1]].astype(np.float64)
    for sign, side in ((-1, shape.left), (1, shape.right)):
        if abs(side - shape.axis) < 0.45 * (shape.right - shape.left) / 2:
            continue  # the far side of a turned head
        for edge, ear in ((cut.top, 0.12), (cut.bottom, 0.3)):
            inner = float(shape.sides(np.array([edge]))[0 if sign < 0 else 1][0])
            inner = shape.axis + (inner - shape.axis) * cut.width * 0.98
            length = (side + sign - inner) * sign
            if length < 3:
                continue
            share = (x - inner) * sign / length
            row = edge + (shape.eyes + ear * face - edge) * np.clip(share, 0, 1) ** 1.5
            slope = np.hypot(1, 1.2 * (shape.eyes + ear * face - edge) / length)
            line = np.clip(thick + 0.5 - np.abs(y - row) / slope, 0, 0.85)
            line = line * ((share >= 0) & (share <= 1))
            base = base * (1 - line[..., None]) + colour * light[..., None] * line[..., None]
    return base
