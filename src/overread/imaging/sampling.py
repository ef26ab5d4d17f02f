"""Pixels at arbitrary places of slices: windowed, interpolated, without aliasing.

Reads only the rows and columns that are needed, from memory maps too. Patients are not known
here: everything is in pixels of the slices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.imaging.fetching import fetch
from overread.imaging.windows import stretch

__all__ = ["Lattice", "Source", "sample", "sample_exactly"]

Floats = NDArray[np.float64]
# Steps of up to so many source pixels are sampled without subsamples: the bilinear tent averages
# over two pixels itself.
BILINEAR_REACH = 1.5
# Beyond this many source pixels a crop pixel, further subsamples change little.
MOST_SUBSAMPLES = 6


@dataclass(frozen=True, eq=False)
class Source:
    """One slice and how its values become channels.

    Attributes:
        pixels: (rows, columns[, colours]), may be a memory map.
        size: rows and columns that hold image; the rest is padding.
        limits: the values that become 0 and 1, for each window.
    """

    pixels: NDArray[np.generic]
    size: tuple[int, int]
    limits: tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class Lattice:
    """Where the pixels of crops lie in their slices, as (column index, row index).

    Attributes:
        centre: (n, 2) of the middle of each crop.
        down: (n, 2) step from one crop row to the next.
        right: (n, 2) step from one crop column to the next.
        shape: rows and columns of the crops.
    """

    centre: Floats
    down: Floats
    right: Floats
    shape: tuple[int, int]

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the least and greatest coordinates that each crop reaches, (n, 2) each."""
        rows, columns = self.shape
        half = (np.abs(self.down) * rows + np.abs(self.right) * columns) / 2
        return self.centre - half, self.centre + half

    def refined(self) -> tuple["Lattice", tuple[int, int]]:
        """Return a lattice with whole numbers of subsamples for each crop pixel."""
        rows, columns = (
            _subsamples(float(np.linalg.norm(step, axis=1).max()))
            for step in (self.down, self.right)
        )
        shape = (self.shape[0] * rows, self.shape[1] * columns)
        return Lattice(self.centre, self.down / rows, self.right / columns, shape), (rows, columns)

    def shared(self) -> bool:
        """Tell whether all crops lie at the same place of their slices, to 1e-6 px."""
        values = np.concatenate([self.centre, self.down, self.right], axis=1)
        return bool(np.ptp(values, axis=0).max() < 1e-6)

    def first(self) -> "Lattice":
        """Return the lattice of the first crop alone."""
        return Lattice(self.centre[:1], self.down[:1], self.right[:1], self.shape)

    def grid(self, corners: Floats, size: Sequence[int]) -> NDArray[np.float32]:
        """Return the coordinates of all crop pixels for `fetch`, (n, rows, columns, 2).

        Args:
            corners: (n, 2) where the regions that are sampled start in their slices.
            size: rows and columns of the regions.
        """
        unit = 2 / np.array([size[1] - 1, size[0] - 1])
        rows, columns = ((np.arange(length) - (length - 1) / 2)[:, None] for length in self.shape)
        start = ((self.centre - corners) * unit - 1)[:, None]
        down = start + rows * (self.down * unit)[:, None]
        right = columns * (self.right * unit)[:, None]
        places: NDArray[np.float32] = (
            down.astype(np.float32)[:, :, None] + right.astype(np.float32)[:, None]
        )
        return places


def _subsamples(step: float) -> int:
    if step <= BILINEAR_REACH:
        return 1
    return min(int(np.ceil(step - 1e-6)), MOST_SUBSAMPLES)


def sample(sources: Sequence[Source], lattice: Lattice) -> NDArray[np.float16]:
    """Return the crops of some slices, one each, as they are kept; see `sample_exactly`."""
    return _sampled(sources, lattice).astype(np.float16, order="C")


def sample_exactly(sources: Sequence[Source], lattice: Lattice) -> NDArray[np.float32]:
    """Return the crops of some slices, one each.

    Values are windowed first; outside the image lies 0. Bilinear; where a crop pixel covers
    several source pixels it is the mean of subsamples.

    Args:
        sources: n slices.
        lattice: of n crops.

    Returns:
        (n, channels, rows, columns), 0-1; channels are window by window, colours together.
    """
    return np.ascontiguousarray(_sampled(sources, lattice))


def _sampled(sources: Sequence[Source], lattice: Lattice) -> NDArray[np.float32]:
    fine, factors = lattice.refined()
    regions, corners = _regions(sources, fine)
    if fine.shared() and (corners == corners[0]).all():
        # Slices that lie straight behind one another are channels of one image: three times faster.
        grid = fine.first().grid(corners[:1], regions.shape[2:])
        stacked = regions.reshape(1, -1, *regions.shape[2:])
        crops = fetch(stacked, grid).reshape(*regions.shape[:2], *fine.shape)
    else:
        crops = fetch(regions, fine.grid(corners, regions.shape[2:]))
    return _means(_means(crops, factors[1]).swapaxes(-1, -2), factors[0]).swapaxes(-1, -2)


def _means(values: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Return the means of neighbouring values along the last axis.

    Outer pairs are added first, so that the mirrored sum is the same to the last bit.
    """
    if factor == 1:
        return values
    parts = [values[..., i::factor] for i in range(factor)]
    total = parts[factor // 2] if factor % 2 else np.zeros_like(parts[0])
    for i in range(factor // 2):
        total = total + (parts[i] + parts[-1 - i])
    means: NDArray[np.float32] = total / np.float32(factor)
    return means


def _regions(sources: Sequence[Source], lattice: Lattice) -> tuple[NDArray[np.float32], Floats]:
    """Return the windowed rectangles that the crops touch, (n, C, h, w), and their corners."""
    low, high = lattice.bounds()
    size = np.array([source.size[::-1] for source in sources])
    start = np.clip(np.floor(low).astype(np.int64), 0, size)
    stop = np.clip(np.ceil(high).astype(np.int64) + 1, start, size)
    width, height = np.maximum((stop - start).max(axis=0), 2)
    channels = len(sources[0].limits) * (3 if sources[0].pixels.ndim == 3 else 1)
    regions = np.zeros((len(sources), channels, height, width), np.float32)
    for region, source, (x0, y0), (x1, y1) in zip(regions, sources, start, stop, strict=True):
        pixels = np.asarray(source.pixels[y0:y1, x0:x1])
        layers = np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels[None]
        for index, (black, white) in enumerate(source.limits):
            first = index * len(layers)
            target = region[first : first + len(layers), : y1 - y0, : x1 - x0]
            target[...] = stretch(layers, black, white)
    return regions, start.astype(np.float64)
