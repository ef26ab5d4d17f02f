"""How a head is scanned: tilt, steps, matrix, noise, and how values are stored.

Two habits, in the shares of the published archive: signed values with one display window, where
pixels outside the reconstruction hold a filler, and unsigned ones of 12 bits with a window of two
equal values. It knows nothing of anatomy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.phantoms.head_ct_fields import F32, Points

__all__ = ["Scan", "draw_scan", "expose", "nodes"]

FILLER = -2000  # stored where nothing was reconstructed
INTERCEPT = -1024


@dataclass(frozen=True, eq=False)
class Scan:
    """One acquisition.

    Attributes:
        tilt: of the gantry, radians: the top of the slices leans forwards.
        turn: (3, 3) from the head's frame to the room, without tilt.
        centre: (3,) where the head's origin lies in the room, mm.
        step_mm: from slice to slice along the table.
        count: number of slices.
        first_mm: height of the lowest slice below the head's origin, along the normal.
        pixels: rows and columns.
        field_mm: side of the images.
        noise: deviation in HU.
        signed: how values are stored.
        window: centre and width for people.
        holder: whether the head rest shows.
    """

    tilt: float
    turn: NDArray[np.float64]
    centre: NDArray[np.float64]
    step_mm: float
    count: int
    first_mm: float
    pixels: int
    field_mm: float
    noise: float
    signed: bool
    window: tuple[str, str]
    holder: bool

    @property
    def spacing(self) -> float:
        """Side of a pixel, mm."""
        return self.field_mm / self.pixels

    @property
    def directions(self) -> NDArray[np.float64]:
        """(2, 3) unit directions of rows and columns in the room."""
        return np.array([[1, 0, 0], [0, np.cos(self.tilt), -np.sin(self.tilt)]])

    def origin(self, index: int) -> NDArray[np.float64]:
        """Return the centre of the first pixel of a slice, counted from the feet."""
        row, column = self.directions
        normal = np.cross(row, column)
        middle = (self.count - 1) / 2
        rise = self.first_mm + middle * self.step_mm * np.cos(self.tilt)
        half = (self.pixels - 1) / 2 * self.spacing
        corner = self.centre + normal * rise - row * half - column * half
        # The table moves along the room, not along the normal: origins differ in z alone, and the
        # head wanders through tilted images.
        return np.asarray(corner + np.array([0, 0, (index - middle) * self.step_mm]))


def draw_scan(rng: np.random.Generator, *, pixels: int) -> Scan:
    """Draw an acquisition that holds the whole head."""
    tilt = float(rng.choice([0.0, rng.uniform(0.05, 0.42)], p=(0.12, 0.88)))
    roll, yaw, pitch = rng.normal(0, (0.045, 0.045, 0.06))
    signed = bool(rng.random() < 0.9)
    window = ("30", "80") if rng.random() < 0.85 else ("35", "100")
    step = float(np.clip(rng.normal(5.2, 0.35), 4.6, 6.4)) / np.cos(tilt)
    high, low = 88.0, -62.0 + rng.normal(0, 5)
    count = int(np.clip(np.ceil((high - low) / (step * np.cos(tilt))), 24, 40))
    return Scan(
        tilt=tilt,
        turn=_turned(roll, yaw, pitch + tilt),
        centre=np.array([rng.normal(0, 4), rng.normal(-20, 12), rng.normal(110, 40)]),
        step_mm=step,
        count=count,
        first_mm=low,
        pixels=pixels,
        field_mm=float(rng.choice([250.0, 250.0, 250.0, 238.0])),
        noise=float(rng.uniform(2.6, 4.4)),
        signed=signed,
        window=window if signed else ("00040\\00040", "00080\\00080"),
        holder=bool(rng.random() < 0.7),
    )


def _turned(roll: float, yaw: float, pitch: float) -> NDArray[np.float64]:
    """Return rotations about the axes to the back, up and left, one after the other."""
    cosine, sine = np.cos([roll, yaw, pitch]), np.sin([roll, yaw, pitch])
    about_back = np.array([[cosine[0], 0, sine[0]], [0, 1, 0], [-sine[0], 0, cosine[0]]])
    about_up = np.array([[cosine[1], -sine[1], 0], [sine[1], cosine[1], 0], [0, 0, 1]])
    about_left = np.array([[1, 0, 0], [0, cosine[2], sine[2]], [0, -sine[2], cosine[2]]])
    return np.asarray(about_left @ about_up @ about_back)


def nodes(scan: Scan, index: int, *, factor: int) -> Points:
    """Return the places of every `factor`-th pixel of a slice in the head's frame, mm."""
    row, column = scan.directions
    count = scan.pixels // factor + 1
    steps = np.arange(count) * factor * scan.spacing
    corner = scan.origin(index) - scan.centre
    # To the head's frame: v @ turn is turn transposed times v, element by element for the bytes.
    start, right, down = (_into(scan.turn, vector) for vector in (corner, row, column))
    places = [
        start[axis] + right[axis] * steps[None, :] + down[axis] * steps[:, None]
        for axis in range(3)
    ]
    return Points(*places)


def _into(turn: NDArray[np.float64], vector: NDArray[np.float64]) -> list[float]:
    return [float(sum(turn[k, axis] * vector[k] for k in range(3))) for axis in range(3)]


def expose(rng: np.random.Generator, scan: Scan, hu: F32, *, low: float) -> NDArray[np.int16]:
    """Turn HU into stored values: grainy noise, head rest, filler outside the circle.

    Args:
        rng: of the noise.
        scan: the acquisition.
        hu: (rows, columns); overwritten.
        low: 0 (high slices) to 1 (base of the skull, where noise is stronger).

    Returns:
        (rows, columns) stored values, before the rescale intercept is added.
    """
    size = scan.pixels
    grain = rng.standard_normal((size + 2, size + 2), dtype=np.float32)
    # A kernel of 1, 2, 1 both ways, as smooth reconstructions have; its gain is 3/8.
    grain = grain[:-2] + 2 * grain[1:-1] + grain[2:]
    grain = grain[:, :-2] + 2 * grain[:, 1:-1] + grain[:, 2:]
    coarse = (0.488 / scan.spacing) ** 0.8  # larger pixels average
    hu += grain * np.float32(scan.noise * coarse * (1 + 0.5 * low) / 6)
    line = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * np.float32(scan.spacing)
    if scan.holder:
        bowl = np.sqrt(line[None, :] ** 2 + (line[:, None] * 0.9) ** 2)
        shell = np.clip(1.6 - np.abs(bowl - np.float32(scan.field_mm * 0.455)), 0, 1)
        shell *= np.clip((line[:, None] - 55) / 8, 0, 1)
        hu += shell * np.float32(420)
    stored: NDArray[np.int16] = np.rint(np.clip(hu, INTERCEPT, 3071) - INTERCEPT).astype(np.int16)
    if scan.signed:
        outside = line[None, :] ** 2 + line[:, None] ** 2 > np.float32(scan.field_mm / 2) ** 2
        stored[outside] = FILLER
    return stored
