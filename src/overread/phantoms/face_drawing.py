"""Draws the face of a person, from the front, and tells how it lies in the picture.

Drawn at twice the size and reduced, so that edges are soft. Masks are not known here.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from overread.phantoms.face_people import Colour, Person
from overread.phantoms.face_shape import FaceShape

__all__ = ["HEIGHT", "WIDTH", "draw_face", "photographed"]

WIDTH, HEIGHT = 192, 256
FINE = 2
DARK = (0.13, 0.09, 0.08)


class Canvas:
    """Shapes in px of the finished picture; colours 0-1."""

    def __init__(self, ground: Colour) -> None:
        self.image = Image.new("RGB", (WIDTH * FINE, HEIGHT * FINE), bytes_of(ground))
        self.pen = ImageDraw.Draw(self.image)

    def ellipse(self, centre: tuple[float, float], half: tuple[float, float], fill: Colour) -> None:
        """Fill an ellipse."""
        (x, y), (a, b) = centre, half
        box = [(x - a) * FINE, (y - b) * FINE, (x + a) * FINE, (y + b) * FINE]
        self.pen.ellipse(box, fill=bytes_of(fill))

    def polygon(self, points: Sequence[tuple[float, float]], fill: Colour) -> None:
        """Fill a polygon."""
        self.pen.polygon([(x * FINE, y * FINE) for x, y in points], fill=bytes_of(fill))

    def curve(self, points: Sequence[tuple[float, float]], width: float, fill: Colour) -> None:
        """Draw a curve through three points."""
        t = np.linspace(0, 1, 14)[:, None]
        a, b, c = (np.array(point) for point in points)
        path = a * (1 - t) * (1 - 2 * t) + b * 4 * t * (1 - t) + c * t * (2 * t - 1)
        line = [(float(x) * FINE, float(y) * FINE) for x, y in path]
        self.pen.line(line, fill=bytes_of(fill), width=max(1, round(width * FINE)), joint="curve")


def bytes_of(colour: Colour) -> tuple[int, int, int]:
    """Return a colour as bytes."""
    red, green, blue = (round(255 * min(max(part, 0.0), 1.0)) for part in colour)
    return red, green, blue


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """Return a mixture; `share` of the second."""
    red, green, blue = (a * (1 - share) + b * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def draw_face(person: Person, rng: np.random.Generator) -> tuple[NDArray[np.uint8], FaceShape]:
    """Return a picture (HEIGHT, WIDTH, 3) of the person's face, and how the face lies in it."""
    height = HEIGHT * rng.uniform(0.56, 0.62)
    x = WIDTH / 2 + rng.normal(0, 4)
    top = HEIGHT * 0.17 + rng.normal(0, 4)
    half = person.jaw * height
    eyes = top + 0.45 * height
    shape = FaceShape(
        axis=x,
        left=x - half,
        right=x + half,
        eyes=eyes,
        bridge=top + 0.54 * height,
        nose=top + 0.68 * height,
        mouth=top + 0.81 * height,
        chin=top + height,
    )
    ground = rng.uniform(0.35, 0.9, 3)
    canvas = Canvas((float(ground[0]), float(ground[1]), float(ground[2])))
    _behind(canvas, person, shape, top)
    _head(canvas, person, shape, top)
    _age(canvas, person, shape, top)
    _features(canvas, person, shape)
    _hair(canvas, person, shape, top)
    small = canvas.image.filter(ImageFilter.GaussianBlur(0.7)).resize(
        (WIDTH, HEIGHT), Image.Resampling.BOX
    )
    return np.array(small), shape


def _behind(canvas: Canvas, person: Person, shape: FaceShape, top: float) -> None:
    """Draw what lies behind the face: hair, neck, shoulders."""
    x, half, face = shape.axis, shape.right - shape.axis, shape.chin - top
    if person.long_hair:
        canvas.ellipse((x, top + 0.42 * face), (half * 1.35, 0.52 * face), person.hair)
        canvas.polygon(
            [
                (x - half * 1.33, top + 0.4 * face),
                (x + half * 1.33, top + 0.4 * face),
                (x + half * 1.45, shape.chin + 0.25 * face),
                (x - half * 1.45, shape.chin + 0.25 * face),
            ],
            person.hair,
        )
    neck = mixed(person.skin, DARK, 0.2)
    canvas.polygon(
        [
            (x - half * 0.55, shape.mouth),
            (x + half * 0.55, shape.mouth),
            (x + half * 0.65, HEIGHT),
            (x - half * 0.65, HEIGHT),
        ],
        neck,
    )
    canvas.ellipse((x, HEIGHT + 0.12 * face), (half * 2.2, 0.36 * face), person.clothes)


def _head(canvas: Canvas, person: Person, shape: FaceShape, top: float) -> None:
    x, half, face = shape.axis, shape.right - shape.axis, shape.chin - top
    for sign in (-1, 1):
        ear = (x + sign * half * 1.02, shape.eyes + 0.06 * face)
        canvas.ellipse(ear, (half * 0.14, 0.085 * face), mixed(person.skin, DARK, 0.12))
        if person.earrings:
            drop = (ear[0] + sign * 1.5, ear[1] + 0.1 * face)
            canvas.ellipse(drop, (2.2, 2.2), (0.95, 0.85, 0.45))
    canvas.ellipse((x, shape.eyes), (half, shape.eyes - top), person.skin)
    rows = np.linspace(shape.eyes, shape.chin * 1.0, 24)
    left, right = shape.sides(rows)
    edge = list(zip(left, rows, strict=True)) + list(zip(right, rows, strict=True))[::-1]
    canvas.polygon([(float(a), float(b)) for a, b in edge], person.skin)
    canvas.ellipse((x, shape.chin - 0.05 * face), (half * 0.5, 0.05 * face), person.skin)
    if person.stubble > 0.3:
        shade = mixed(person.skin, person.hair, 0.22 * person.stubble)
        canvas.ellipse((x, shape.mouth + 0.07 * face), (half * 0.66, 0.125 * face), shade)


def _age(canvas: Canvas, person: Person, shape: FaceShape, top: float) -> None:
    """Draw lines of the forehead, beside and below the eyes, and from the nose to the mouth."""
    if person.wrinkles < 0.12:
        return
    x, half, face = shape.axis, shape.right - shape.axis, shape.chin - top
    ink = mixed(person.skin, DARK, 0.12 + 0.38 * person.wrinkles)
    width = 0.6 + 0.9 * person.wrinkles
    for number in range(round(4 * person.wrinkles)):
        row = shape.eyes - (0.16 + 0.045 * number) * face
        wide = half * (0.55 - 0.05 * number)
        canvas.curve([(x - wide, row + 1), (x, row - 2), (x + wide, row + 1)], width, ink)
    for sign in (-1, 1):
        eye = x + sign * half * 0.45
        for lean in (-0.035, 0.0, 0.035)[: 1 + round(2 * person.wrinkles)]:
            start = (eye + sign * half * 0.3, shape.eyes + lean * 0.4 * face)
            end = (eye + sign * half * 0.47, shape.eyes + lean * face)
            middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.5)
            canvas.curve([start, middle, end], width * 0.8, ink)
        bag = shape.eyes + 0.06 * face
        canvas.curve([(eye - half * 0.2, bag), (eye, bag + 3), (eye + half * 0.2, bag)], width, ink)
        fold = [
            (x + sign * half * 0.28, shape.nose),
            (x + sign * half * 0.42, (shape.nose + shape.mouth) / 2),
            (x + sign * half * 0.42, shape.mouth),
        ]
        canvas.curve(fold, width, ink)


def _features(canvas: Canvas, person: Person, shape: FaceShape) -> None:
    x, half = shape.axis, shape.right - shape.axis
    face = (shape.chin - shape.eyes) / 0.55
    for sign in (-1, 1):
        eye = x + sign * half * 0.45
        tall = 0.026 * face * (1.15 if person.gender == "female" else 1.0)
        canvas.ellipse((eye, shape.eyes), (half * 0.19, tall), (0.95, 0.95, 0.94))
        canvas.ellipse((eye, shape.eyes), (tall * 0.95, tall * 0.95), (0.25, 0.17, 0.12))
        canvas.ellipse((eye, shape.eyes), (tall * 0.45, tall * 0.45), (0.03, 0.03, 0.03))
        lid = [(eye - half * 0.21, shape.eyes), (eye, shape.eyes - tall * 1.15)]
        corner = (eye + half * 0.21, shape.eyes)
        canvas.curve([*lid, corner], 0.7 + 1.8 * person.lashes, DARK)
        brow = shape.eyes - 0.075 * face
        arch = 0.012 * face * (1.6 if person.gender == "female" else 0.7)
        ends = [(eye - half * 0.24, brow + 1), (eye, brow - arch), (eye + half * 0.24, brow + 1)]
        canvas.curve(ends, 2.6 * person.brow, mixed(person.hair, DARK, 0.35))
    side = mixed(person.skin, DARK, 0.25)
    canvas.curve(
        [(x + 1, shape.bridge), (x + half * 0.1, shape.nose - 4), (x + half * 0.16, shape.nose)],
        1.2,
        side,
    )
    for sign in (-1, 1):
        canvas.ellipse((x + sign * half * 0.09, shape.nose + 1), (2.0, 1.3), mixed(side, DARK, 0.5))
    lips = mixed(mixed(person.skin, (0.55, 0.3, 0.28), 0.5), (0.75, 0.15, 0.2), person.lips)
    full = 0.016 * face * (1 + 0.5 * person.lips)
    canvas.ellipse((x, shape.mouth), (half * 0.36, full), lips)
    mouth = [(x - half * 0.36, shape.mouth), (x, shape.mouth + 1), (x + half * 0.36, shape.mouth)]
    canvas.curve(mouth, 1.0, mixed(lips, DARK, 0.6))
    if person.glasses:
        _glasses(canvas, shape, half)


def _glasses(canvas: Canvas, shape: FaceShape, half: float) -> None:
    ink = (0.12, 0.12, 0.14)
    for sign in (-1, 1):
        eye = shape.axis + sign * half * 0.45
        a, b = half * 0.33, half * 0.24
        around = np.linspace(0, 2 * np.pi, 25)
        ring = [(eye + a * np.cos(t), shape.eyes + 1 + b * np.sin(t)) for t in around]
        line = [(float(u) * FINE, float(v) * FINE) for u, v in ring]
        canvas.pen.line(line, fill=bytes_of(ink), width=3)
    canvas.curve(
        [
            (shape.axis - half * 0.12, shape.eyes),
            (shape.axis, shape.eyes - 2),
            (shape.axis + half * 0.12, shape.eyes),
        ],
        1.4,
        ink,
    )


def _hair(canvas: Canvas, person: Person, shape: FaceShape, top: float) -> None:
    """Draw the hair above the forehead."""
    x, half, face = shape.axis, shape.right - shape.axis, shape.chin - top
    line = top + (0.19 - 0.13 * person.receding) * face
    angles = np.linspace(np.pi, 2 * np.pi, 30)
    rise = shape.eyes - top
    reach = 1.06 if person.long_hair else 1.03
    cap = [
        (
            x + half * reach * np.cos(t),
            shape.eyes - 0.1 * face + (rise * 1.02 - 0.08 * face) * np.sin(t),
        )
        for t in angles
    ]
    inner = [
        (x + half * 0.92, shape.eyes - 0.1 * face),
        (x + half * 0.72, line + 0.05 * face),
        (x, line),
        (x - half * 0.72, line + 0.05 * face),
        (x - half * 0.92, shape.eyes - 0.1 * face),
    ]
    canvas.polygon([(float(a), float(b)) for a, b in [*cap, *inner]], person.hair)
    if person.long_hair:
        for sign in (-1, 1):
            canvas.polygon(
                [
                    (x + sign * half * 1.08, shape.eyes - 0.16 * face),
                    (x + sign * half * 0.84, shape.eyes - 0.12 * face),
                    (x + sign * half * 0.99, shape.mouth),
                    (x + sign * half * 1.25, shape.mouth),
                ],
                person.hair,
            )


def photographed(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture as a camera gives it: turned a little, lit from a side, with noise."""
    turned = Image.fromarray(image).rotate(
        float(rng.normal(0, 3.5)), Image.Resampling.BICUBIC, fillcolor=tuple(image[2, 2].tolist())
    )
    values = np.asarray(turned, np.float64) / 255
    side = np.linspace(-1, 1, image.shape[1])[None, :, None] * rng.normal(0, 0.10)
    light = rng.uniform(0.72, 1.12) * (1 + side)
    tint = 1 + rng.normal(0, 0.03, 3)
    values = values * light * tint + rng.normal(0, 0.018, image.shape)
    return np.asarray(np.round(np.clip(values, 0, 1) * 255), np.uint8)
