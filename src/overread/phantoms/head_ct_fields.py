"""Distances and textures on the coarse nodes of a slice, and the finer pixels between them.

A field is a signed distance in mm (negative inside), float32, on every few pixels of a slice;
smooth fields are drawn there and interpolated, which gives smooth outlines at a fraction of the
cost. Knows no anatomy. Sums run element by element, so that bytes do not depend on thread counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["F32", "Canvas", "Points", "Waves", "refine"]

F32 = Any  # a float32 array; numpy promotes too subtly to say so
TINY = np.float32(1e-6)


@dataclass(frozen=True, eq=False)
class Points:
    """Places of the nodes of one slice in the head's frame, mm: left, back, up."""

    x: F32
    y: F32
    z: F32

    def __post_init__(self) -> None:
        """Hold float32."""
        for name in ("x", "y", "z"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float32))

    def moved(self, dx: ArrayLike) -> "Points":
        """Return the places with x reduced by `dx`: what is drawn there moves to the left."""
        return Points(self.x - np.asarray(dx, np.float32), self.y, self.z)

    @property
    def folded(self) -> "Points":
        """The places with left and right laid upon each other."""
        return Points(np.abs(self.x), self.y, self.z)

    def to(self, centre: Sequence[float]) -> F32:
        """Return the distance from a point."""
        x, y, z = (np.float32(value) for value in centre)
        return np.sqrt((self.x - x) ** 2 + (self.y - y) ** 2 + (self.z - z) ** 2)

    def ellipsoid(self, centre: Sequence[float], radii: Sequence[float]) -> F32:
        """Return the distance from an ellipsoid, exact to first order near its surface."""
        scaled, steep = np.float32(0), np.float32(0)
        for value, middle, radius in zip((self.x, self.y, self.z), centre, radii, strict=True):
            part = (value - np.float32(middle)) / np.float32(radius)
            scaled = scaled + part * part
            steep = steep + (part / np.float32(radius)) ** 2
        length = np.sqrt(scaled)
        return length * (length - 1) / np.maximum(np.sqrt(steep), TINY)

    def chain(self, points: Sequence[Sequence[float]], radii: Sequence[float]) -> F32:
        """Return the distance from a tube along points, of a radius that changes evenly."""
        best = None
        for i in range(len(points) - 1):
            start = [np.float32(value) for value in points[i]]
            along = [np.float32(b - a) for a, b in zip(points[i], points[i + 1], strict=True)]
            gaps = [v - a for v, a in zip((self.x, self.y, self.z), start, strict=True)]
            length = sum(float(step) ** 2 for step in along)
            share = sum(gap * step for gap, step in zip(gaps, along, strict=True))
            share = np.clip(share / np.float32(length), 0, 1)
            square = sum((gap - share * step) ** 2 for gap, step in zip(gaps, along, strict=True))
            radius = np.float32(radii[i]) + share * np.float32(radii[i + 1] - radii[i])
            distance = np.sqrt(square) - radius
            best = distance if best is None else np.minimum(best, distance)
        return np.asarray(best, np.float32)


@dataclass(frozen=True)
class Waves:
    """A smooth random texture in space, mean 0, deviation 1: plane waves of random directions.

    Attributes:
        wave: (n, 3) radians a mm.
        phase: (n,).
    """

    wave: NDArray[np.float64]
    phase: NDArray[np.float64]

    @staticmethod
    def drawn(rng: np.random.Generator, length_mm: tuple[float, float], count: int = 9) -> "Waves":
        """Draw waves of lengths in a range."""
        direction = rng.standard_normal((count, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        length = rng.uniform(*length_mm, count)
        return Waves(direction * (2 * np.pi / length)[:, None], rng.uniform(0, 2 * np.pi, count))

    def on(self, p: Points) -> F32:
        """Return the texture at the nodes."""
        total = np.zeros_like(p.x)
        for (kx, ky, kz), phase in zip(self.wave.astype(np.float32), self.phase, strict=True):
            total += np.sin(kx * p.x + ky * p.y + kz * p.z + np.float32(phase))
        return total * np.float32(np.sqrt(2 / len(self.wave)))

    def sheets(self, p: Points) -> F32:
        """Return the distance from the sheets where the texture is zero, mm, about."""
        steep = np.sqrt((self.wave**2).sum() / len(self.wave) / 3) * 1.25
        return np.abs(self.on(p)) / np.float32(steep)


def refine(field: F32, factor: int) -> F32:
    """Interpolate (m + 1, n + 1) nodes to (m * factor, n * factor) pixels; the first is a node."""
    for axis in (0, 1):
        low = field[:-1] if axis == 0 else field[:, :-1]
        high = field[1:] if axis == 0 else field[:, 1:]
        rise = (high - low) / np.float32(factor)
        steps = [low + rise * np.float32(step) for step in range(factor)]
        shape = (-1, field.shape[1]) if axis == 0 else (field.shape[0], -1)
        field = np.stack(steps, axis + 1).reshape(shape)
    return field


class Canvas:
    """HU of one slice, painted layer upon layer; fields come on nodes.

    Attributes:
        hu: (rows, columns) float32.
    """

    def __init__(self, nodes: tuple[int, int], factor: int, *, pixel_mm: float, air: float) -> None:
        self.factor = factor
        self.area_mm2 = pixel_mm**2
        self.blur_mm = max(pixel_mm, 0.7)
        rows, columns = ((count - 1) * factor for count in nodes)
        self.hu: F32 = np.full((rows, columns), air, np.float32)

    def cover(self, field: F32, soft_mm: float | None = None) -> F32 | None:
        """Return the share of each pixel that lies inside a field; None where nothing does."""
        soft = np.float32(soft_mm or self.blur_mm)
        if field.min() > soft:
            return None
        share = refine(field, self.factor)
        share *= -1 / soft
        share += np.float32(0.5)
        return np.clip(share, 0, 1, out=share)

    def paint(self, field: F32, value: float | F32, *, soft_mm: float | None = None) -> None:
        """Cover what lies inside a field with HU: one value, or one a node."""
        share = self.cover(field, soft_mm)
        if share is None:
            return
        shown = np.float32(value) if np.ndim(value) == 0 else refine(np.asarray(value), self.factor)
        share *= shown - self.hu
        self.hu += share

    def stain(self, field: F32, value: float, *, strength: float) -> float:
        """Cover with blood of some strength; return the area in mm2 that is more than half in."""
        share = self.cover(field)
        if share is None:
            return 0.0
        area = float((share > np.float32(0.5)).sum()) * self.area_mm2
        share *= np.float32(strength)
        share *= np.float32(value) - self.hu
        self.hu += share
        return area

    def add(self, values: F32) -> None:
        """Add HU, one value a node."""
        self.hu += refine(values, self.factor)
