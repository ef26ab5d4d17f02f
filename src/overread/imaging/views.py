"""What a network sees of a study: which slices, how much of them, in how many pixels.

Settings and the record of a crop; how it is cut stands in `cutting`.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from overread.imaging.orientation import Plane, plane_of
from overread.imaging.slices import SliceSpec
from overread.imaging.windows import WindowSpec
from overread.records import Frame, Planes, RecordError
from overread.shelf import Spec

__all__ = ["Cut", "ViewSpec"]


class ViewSpec(Spec):
    """How crops are cut around a point, or from whole images.

    Attributes:
        series: roles, all of one plane.
        take: "first" of the roles that the study has, or "all" of them merged.
        around: name of a locator; its point called like the unit's site is the centre (the middle
            of all its points for units without a site). None = the middle of the image.
        slices: which, and how many.
        size_mm: height and width (px for photographs); None = the whole image.
        shift_mm: how far the window's centre lies down and right of the point.
        straighten: turn the window to the local direction of the locator's points.
        scale: "mm", or "spacing": sizes and shifts are multiples of the distance to the
            neighbouring points, for images whose pixel size cannot be trusted; where the points
            have ends, the width is measured by their distance instead, so that a stretched image
            gives an unstretched crop.
        width: distance of neighbouring points in widths from end to end, with `scale: spacing`.
        aspect: of whole images: "keep" (padded) or "stretch" to the pixels.
        pixels: height and width that the network gets.
        margin: the stored crop is larger by this factor, so that augmentation never sees an edge.
        windows: one channel each (three each for colour images).

    Example:
        >>> v9 = ViewSpec(series=("sagittal_t2",), around="discs", slices={"count": 15},
        ...     size_mm=(35, 50), shift_mm=(-5, 0), pixels=(224, 224))
        >>> v9.plane, v9.stored
        ('sagittal', (280, 280))
    """

    series: tuple[str, ...] = Field(min_length=1)
    take: Literal["first", "all"] = "first"
    around: str | None = None
    slices: SliceSpec
    size_mm: tuple[float, float] | None = None
    shift_mm: tuple[float, float] = (0.0, 0.0)
    straighten: bool = False
    scale: Literal["mm", "spacing"] = "mm"
    width: float = Field(default=1.07, gt=0)
    aspect: Literal["keep", "stretch"] = "keep"
    pixels: tuple[int, int]
    margin: float = Field(default=1.25, ge=1)
    windows: tuple[WindowSpec, ...] = Field(default=(WindowSpec(),), min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        planes = {plane_of(role) for role in self.series}
        if len(planes) != 1:
            raise ValueError(f"a view shows one plane, but {self.series} are {sorted(planes)}")
        if self.around is None and (self.straighten or self.scale == "spacing"):
            raise ValueError("straighten and scale: spacing need the points of `around`")
        if self.around is None and self.slices.pick == "level":
            raise ValueError("pick: level needs the points of `around`")
        if self.scale == "spacing" and self.size_mm is None:
            raise ValueError("scale: spacing needs size_mm, in multiples of the spacing")
        if min(self.pixels) < 1 or min(self.size_mm or (1, 1)) <= 0:
            raise ValueError("pixels and size_mm must be positive")
        return self

    @property
    def plane(self) -> Plane:
        """The plane of all its series."""
        return plane_of(self.series[0])

    @property
    def stored(self) -> tuple[int, int]:
        """Height and width of the stored crop, px: the same border on both sides."""
        height, width = (size + 2 * self._border(size) for size in self.pixels)
        return height, width

    def _border(self, size: int) -> int:
        return int(size * (self.margin - 1) / 2 + 0.5)


@dataclass(frozen=True, eq=False)
class Cut:
    """Crops of one unit in one view, in canonical orientation (see `orientation`).

    Attributes:
        pixels: (S, C, rows, columns) float16, 0-1; the stored size.
        mask: (S,) False = missing.
        offsets_mm: (S,) signed distance of the slice from the point (from the middle of the
            stack without one), towards the patient's left (sagittal) or head (axial); 0 where
            missing.
        planes: of the crops, so that any pixel can be traced.
        frames: (S,) where the pixels come from; None where missing.
    """

    pixels: NDArray[np.float16]
    mask: NDArray[np.bool_]
    offsets_mm: NDArray[np.float32]
    planes: Planes
    frames: tuple[Frame | None, ...]

    def __post_init__(self) -> None:
        """Check that everything speaks of the same slices."""
        lengths = {len(self.pixels), len(self.mask), len(self.offsets_mm), len(self.planes)}
        if lengths != {len(self.frames)} or self.pixels.ndim != 4:
            raise RecordError(
                f"a cut needs (slices, channels, rows, columns) and one mask, offset, plane and "
                f"frame a slice; found pixels {self.pixels.shape} and {sorted(lengths)} slices"
            )
