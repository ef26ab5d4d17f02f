"""A slice being painted, tissue over tissue, in one or more contrasts at once.

Painting is back to front with soft edges. It knows nothing about anatomy.
"""

from collections.abc import Sequence

import numpy as np

from overread.phantoms.sampling import F32, SlicePlane, Texture, Window
from overread.phantoms.tissue import BRIGHTNESS, Contrast


class Canvas:
    """The image of one plane under several contrasts.

    Attributes:
        plane: where the pixels are.
        contrasts: names of the contrasts, one image each.
        images: (rows, columns) float32 per contrast.
        soft_mm: width of a soft edge.
    """

    def __init__(self, plane: SlicePlane, contrasts: Sequence[Contrast]) -> None:
        self.plane = plane
        self.contrasts = tuple(contrasts)
        self.images = tuple(np.zeros(plane.shape, np.float32) for _ in self.contrasts)
        self.soft_mm = max(plane.spacing) * 1.15
        self._fields: dict[int, F32] = {}

    def texture(self, texture: Texture, window: Window) -> F32:
        """Return a texture on a window; each is sampled once for the whole slice."""
        if id(texture) not in self._fields:
            self._fields[id(texture)] = texture.on(self.plane, self.plane.whole())
        return self._fields[id(texture)][window]

    def paint(
        self, window: Window, coverage: F32, tissue: str, *, texture: F32 | None = None
    ) -> None:
        """Lay a tissue over a window where `coverage` is 1; `texture` multiplies its brightness."""
        for contrast, image in zip(self.contrasts, self.images, strict=True):
            bright = np.float32(BRIGHTNESS[contrast][tissue])
            target = image[window]
            step = bright - target if texture is None else bright * texture - target
            step *= coverage
            target += step

    def blend(self, window: Window, coverage: F32, shares: dict[str, float]) -> None:
        """Lay a mixture of tissues over a window; `shares` are weights by tissue."""
        for contrast, image in zip(self.contrasts, self.images, strict=True):
            table = BRIGHTNESS[contrast]
            bright = np.float32(sum(table[name] * share for name, share in shares.items()))
            target = image[window]
            step = bright - target
            step *= coverage
            target += step
