"""One slice as the input of a network, with the plane on which each of its pixels lies.

An input image is itself a slice: it has a plane, so the way back to world millimetres is exact.
Which slices are taken and what a network finds on them is not known here.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overread.imaging import StudyPixels, in_plane_axes
from overread.imaging.orientation import Plane
from overread.imaging.sampling import Lattice, Source, sample
from overread.records import Planes, Volume

__all__ = ["Canvas", "draw", "facing"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Canvas:
    """What an input image looks like.

    Attributes:
        plane: "sagittal", "axial" ...: which way up.
        pixels: rows, columns of the input.
        size_mm: rows, columns in mm that the input covers around its centre; None fits the whole
            slice, with zeros beside it. Pixels are square in either case.
        percentiles: of the slice, taken as black and white.
        aspect: "stretch" fits the whole slice without regard to its shape, for images whose pixel
            size cannot be trusted.
        shading: divide by the brightness of the surroundings, which takes away the fall-off of
            surface coils.
    """

    plane: Plane
    pixels: tuple[int, int]
    size_mm: tuple[float, float] | None
    percentiles: tuple[float, float]
    aspect: Literal["keep", "stretch"] = "keep"
    shading: bool = False


def draw(
    pixels: StudyPixels,
    volume: Volume,
    index: int,
    canvas: Canvas,
    centre: Floats | None = None,
) -> tuple[NDArray[np.float32], Planes]:
    """Resample one slice to a network input: bilinear, without aliasing, zeros beside the image.

    The same slice of a mirrored study gives the mirrored input.

    Args:
        pixels: the study, which remembers percentiles.
        volume: one of its volumes; colours are averaged.
        index: which slice.
        canvas: size and grey values of the input.
        centre: (3,) world point in the middle of the input; None = the middle of the slice.

    Returns:
        (rows, columns) float32, 0 to 1, and the plane of the input.
    """
    source = volume.planes.take([index])
    target = facing(source, canvas, centre)
    rows, columns = source.size[0]
    limits = pixels.limits(volume, index, canvas.percentiles)
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    first, right, down = source.to_pixels([0, 0, 0], target.to_world([0, 0, 0], corners))[0]
    centre_px, _ = source.to_pixels([0], target.centre)
    lattice = Lattice(centre_px, (down - first)[None], (right - first)[None], canvas.pixels)
    drawn = sample([Source(volume.array[index], (int(rows), int(columns)), (limits,))], lattice)
    image = np.asarray(drawn[0].mean(0), np.float32)
    return (_evened(image) if canvas.shading else image), target


def _evened(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the image divided by its surroundings (Gaussian, an eighth of each side), 0 to 1."""
    from scipy.ndimage import gaussian_filter  # few locators ask for it

    scaled = image / (np.percentile(image, 99) + 1e-6)
    around = gaussian_filter(np.minimum(scaled, 1.5), (image.shape[0] / 8, image.shape[1] / 8))
    return np.asarray(np.clip(scaled / (around + 0.05) / 2.5, 0, 1), np.float32)


def facing(source: Planes, canvas: Canvas, centre: Floats | None = None) -> Planes:
    """Return the plane of the input that shows a slice (one plane) the right way up."""
    down, right = in_plane_axes(source, canvas.plane)
    size = np.array(canvas.pixels)
    kept = np.abs(np.einsum("ni,ni->n", down, source.column)) > 0.5
    extent = (source.size * source.spacing)[0]
    steps = (np.array(canvas.size_mm) if canvas.size_mm else extent[:: 1 if kept[0] else -1]) / size
    step = steps if canvas.aspect == "stretch" else np.full(2, steps.max())
    middle = source.centre
    if centre is not None:
        middle = source.to_world([0], source.to_pixels([0], np.asarray(centre)[None])[0])
    half = (size - 1) / 2 * step
    origin = middle - right * half[1] - down * half[0]
    return Planes(origin, right, down, step[None], size[None], source.space)
