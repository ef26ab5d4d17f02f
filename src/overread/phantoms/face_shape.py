"""How a face lies in a picture: what a mask needs to know to be laid over it.

For a drawn face it is known. In an aligned photograph (eyes level, at the same place in each
picture) the sides are found where the colour of the cheeks ends, and the turn of the head is told
by how unlike both sides are. Pixels of the picture are (x, y) px.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

__all__ = ["FaceShape", "shape_of_photo"]

Floats = NDArray[np.float64]
# An aligned photograph (dlib's face chip with a quarter of padding), as shares of its width.
MIDDLE, EYES, BRIDGE, NOSE, MOUTH, CHIN = 0.495, 0.295, 0.385, 0.505, 0.665, 0.885
SIDES = (0.165, 0.825)  # of a face that looks at the camera
REACH = ((0.03, 0.34), (0.65, 0.97))  # where a side may lie at all
# Half the width of a face from the eyes (0) to the chin (1), as a share of that at the eyes.
JAW = (np.array([-1.0, 0.0, 0.3, 0.55, 0.75, 0.9, 1.0, 1.1]),
       np.array([1.0, 1.0, 0.98, 0.92, 0.81, 0.68, 0.48, 0.0]))  # fmt: skip
TURN = 0.8  # how far the nose moves for one px by which the face's middle is off
SKIN_ENDS = 0.33


@dataclass(frozen=True)
class FaceShape:
    """Heights and sides of a face, px.

    Attributes:
        axis: column of the ridge of the nose.
        left, right: columns of the sides at the eyes; left is where the column is small.
        eyes, bridge, nose, mouth, chin: rows; `bridge` is where a mask's upper edge sits.
    """

    axis: float
    left: float
    right: float
    eyes: float
    bridge: float
    nose: float
    mouth: float
    chin: float

    def sides(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return the columns of both sides at some rows; below the chin they meet."""
        share = np.interp((rows - self.eyes) / (self.chin - self.eyes), *JAW)
        middle = (self.left + self.right) / 2
        # The chin of a turned head lies below its nose.
        lean = np.clip((rows - self.eyes) / (self.chin - self.eyes), 0, 1)
        centre = middle + (self.axis - middle) * 0.6 * lean
        half = (self.right - self.left) / 2 * share
        return centre - half, centre + half


def shape_of_photo(image: NDArray[np.uint8]) -> FaceShape:
    """Return how the face lies in an aligned photograph.

    Args:
        image: (rows, columns, 3).
    """
    size = image.shape[1]
    left, right = _sides(_cheek_likeness(image))
    axis = MIDDLE - TURN * ((left + right) / 2 - MIDDLE)
    axis = float(np.clip(axis, left + 0.05, right - 0.05))
    heights = (size * height for height in (EYES, BRIDGE, NOSE, MOUTH, CHIN))
    return FaceShape(axis * size, left * size, right * size, *heights)


def _cheek_likeness(image: NDArray[np.uint8]) -> Floats:
    """Return (rows, columns) how much each pixel is coloured like the middle of the face, 0-1."""
    size = image.shape[1]
    smooth = gaussian_filter(image.astype(np.float64), (size / 112, size / 112, 0))
    logs = np.log(smooth + 8)
    green = logs[..., 1]
    features = np.stack([logs[..., 0] - green, logs[..., 2] - green, logs.mean(-1)], -1)
    y, x = (np.mgrid[: image.shape[0], :size] + 0.5) / size
    seed = features[((x - MIDDLE) / 0.15) ** 2 + ((y - 0.5) / 0.116) ** 2 < 1]
    centre = np.median(seed, axis=0)
    spread = 2.4 * np.median(np.abs(seed - centre), axis=0)
    spread = np.clip(spread, (0.08, 0.1, 0.29), (0.22, 0.32, 0.72))
    far = (((features - centre) / spread) ** 2).sum(-1)
    return np.asarray(gaussian_filter(np.exp(-far / 4), size / 75))


def _sides(likeness: Floats) -> tuple[float, float]:
    """Return both sides, as shares of the width: where likeness ends, seen over many rows."""
    size = likeness.shape[1]
    rows = likeness[int(0.4 * size) : int(0.58 * size) : 2]
    columns = (np.arange(size) + 0.5) / size
    weight = rows.mean(axis=0) * np.exp(-(((columns - MIDDLE) / 0.2) ** 2))
    start = int(np.clip((weight * columns).sum() / weight.sum(), 0.35, 0.65) * size)
    below = rows < SKIN_ENDS
    found = []
    for side, outwards in enumerate((below[:, start::-1], below[:, start:])):
        ends = np.where(outwards.any(axis=1), outwards.argmax(axis=1), outwards.shape[1])
        place = (start + (ends if side else -ends)) / size
        low, high = REACH[side]
        inside = place[(place > low) & (place < high)]
        # A side that melts into what lies behind is taken to be where it usually is.
        trust = min(1.0, len(inside) / len(place) * 1.5)
        usual = SIDES[side]
        seen = float(np.median(inside)) if len(inside) else usual
        found.append(trust * seen + (1 - trust) * usual)
    return found[0], found[1]
