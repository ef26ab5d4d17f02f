"""What a network sees of a study: which slices, how much of them, in how many pixels.

Settings and the record of a crop; how it is cut stands in `cutting`.
"""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from overread.imaging.neighbours import Boundary, Channel
from overread.imaging.orientation import Plane, plane_of
from overread.imaging.slices import SliceSpec
from overread.imaging.windows import WindowSpec
from overread.records import Frame, Planes, RecordError
from overread.shelf import Spec

__all__ = ["CROPS", "Cut", "ViewSpec"]

_V9_AXIAL: dict[str, Any] = {"size_mm": (45, 75), "shift_mm": (5, 0)}
# The crop recipes of the RSNA 2024 lumbar 3rd-place system, by plane.
CROPS: dict[str, dict[str, dict[str, Any]]] = {
    "v8": {"sagittal": {"size_mm": (40, 60)}, "axial": {"size_mm": (80, 70)}},
    "v9": {"sagittal": {"size_mm": (35, 50), "shift_mm": (-5, 0)}, "axial": _V9_AXIAL},
    # 21.5 mm above and 14.5 mm below the point in the frame of the spine, 5 mm to the front.
    "v11": {
        "sagittal": {"size_mm": (36, 45), "shift_mm": (-3.5, -5), "straighten": True},
        "axial": _V9_AXIAL,
    },
}


class ViewSpec(Spec):
    """How crops are cut around a point, or from whole images.

    Attributes:
        preset: a published crop: v8, v9 or v11 of the RSNA 2024 lumbar 3rd place, which set size,
            shift and turn by the plane; settings that stand beside it win.
        series: roles, all of one plane.
        take: "first" of the roles that the study has, or "all" of them merged.
        around: name of a locator; its point called like the unit's site is the centre (the middle
            of all its points for units without a site). None = the middle of the image.
        of: "unit", or "study": one crop for all units of a study, around the middle of all points.
            Crops around nothing are of the study anyway, unless slices are the units.
        slices: which, and how many.
        size_mm: height and width (px for photographs); None = the whole image.
        share: of whole images: this part of height and width is shown, from the middle.
        shift_mm: how far the window's centre lies down and right of the point.
        straighten: turn the window to the local direction of the locator's points.
        curve: what tells that direction: a "robust" local fit in space, or the "spline" of a spline
            in the slice, as published.
        edges: "exact", or "whole": moved to the nearest border between source pixels, as published.
        one_side: networks see this share, from the patient's left edge: of the slices (sagittal,
            rounded up, `count` of them), else of the columns. The rest is stored too, so that a
            mirrored unit shows its other side as if it were the left; see `mirror: shared`.
        scale: "mm", or "spacing": sizes and shifts are multiples of the distance to the
            neighbouring points, for images whose pixel size cannot be trusted; where the points
            have ends, the width is measured by their distance instead, so that a stretched image
            gives an unstretched crop.
        width: distance of neighbouring points in widths from end to end, with `scale: spacing`.
        aspect: of whole images: "keep" (padded) or "stretch" to the pixels.
        pixels: height and width that the network gets.
        margin: the stored crop is larger by this factor, so that augmentation never sees an edge.
        windows: one channel each (three each for colour images); or names, such as "brain".
        channels: of units that are slices: offsets along the scan that each channel shows (the mean
            of several; "all" for the mean of the scan), through one window or one each; see
            `channels`. Empty = the slices of `slices`.
        boundary: what stands in for slices beyond the ends of the scan; see `neighbours`.

    Example:
        >>> v9 = ViewSpec(series=("sagittal_t2",), around="discs", slices={"count": 15},
        ...     size_mm=(35, 50), shift_mm=(-5, 0), pixels=(224, 224))
        >>> v9.plane, v9.stored
        ('sagittal', (280, 280))
    """

    preset: Literal["v8", "v9", "v11"] | None = None
    series: tuple[str, ...] = Field(min_length=1)
    take: Literal["first", "all"] = "first"
    around: str | None = None
    of: Literal["unit", "study"] = "unit"
    slices: SliceSpec
    size_mm: tuple[float, float] | None = None
    share: float = Field(default=1.0, gt=0, le=1)
    shift_mm: tuple[float, float] = (0.0, 0.0)
    straighten: bool = False
    curve: Literal["robust", "spline"] = "robust"
    edges: Literal["exact", "whole"] = "exact"
    one_side: float | None = Field(default=None, gt=0, le=1)
    scale: Literal["mm", "spacing"] = "mm"
    width: float = Field(default=1.07, gt=0)
    aspect: Literal["keep", "stretch"] = "keep"
    pixels: tuple[int, int]
    margin: float = Field(default=1.25, ge=1)
    windows: tuple[WindowSpec, ...] = Field(default=(WindowSpec(),), min_length=1)
    channels: tuple[Channel, ...] = ()
    boundary: Boundary = "nearest"

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the fields that came later and change nothing at their default."""
        later = ("preset", "of", "share", "curve", "edges", "one_side", "channels", "boundary")
        return frozenset(later)

    @model_validator(mode="before")
    @classmethod
    def _lay_channels(cls, values: Any) -> Any:
        """A single role needs no list; a view of channels shows one slice at a time."""
        if not isinstance(values, dict):
            return values
        series = values.get("series")
        laid = values | {"series": (series,)} if isinstance(series, str) else values
        return {"slices": {"count": 1}, **laid} if laid.get("channels") else laid

    @model_validator(mode="before")
    @classmethod
    def _lay_preset(cls, values: Any) -> Any:
        known = CROPS.get(str(values.get("preset"))) if isinstance(values, dict) else None
        if known is None or not values.get("series"):
            return values
        plane = str(values["series"][0]).partition("_")[0]
        if plane not in known:
            raise ValueError(f"preset {values['preset']} has crops of {sorted(known)}, not {plane}")
        return {**known[plane], **values}

    @model_validator(mode="after")
    def _check(self) -> Self:
        planes = {plane_of(role) for role in self.series}
        if len(planes) != 1:
            raise ValueError(f"a view shows one plane, but {self.series} are {sorted(planes)}")
        if self.around is None and (self.straighten or self.scale == "spacing"):
            raise ValueError("straighten and scale: spacing need the points of `around`")
        if self.around is None and self.slices.pick == "level":
            raise ValueError("pick: level needs the points of `around`")
        if self.of == "study" and (self.straighten or self.scale == "spacing" or self._picks_unit):
            raise ValueError(
                "of: study has no point of its own to straighten, measure or pick slices by: drop "
                "straighten, scale: spacing, pick: level and channels, or set of: unit"
            )
        if self.scale == "spacing" and self.size_mm is None:
            raise ValueError("scale: spacing needs size_mm, in multiples of the spacing")
        if self.edges == "whole" and (self.straighten or self.scale != "mm" or not self.size_mm):
            raise ValueError("edges: whole is for boxes in mm along the image, with size_mm")
        if self.one_side is not None:
            self._check_side()
        if self.channels:
            self._check_channels()
        if min(self.pixels) < 1 or min(self.size_mm or (1, 1)) <= 0:
            raise ValueError("pixels and size_mm must be positive")
        return self

    @model_validator(mode="after")
    def _check_share(self) -> Self:
        if self.share < 1 and self.size_mm is not None:
            raise ValueError("share is of whole images: set either share or size_mm")
        return self

    def _check_side(self) -> None:
        if self.plane == "photo":
            raise ValueError("one_side needs a left and a right side, which photographs lack")
        if self.plane == "sagittal" and self.slices.pick not in ("all", "central"):
            raise ValueError("one_side of sagittal slices needs pick: all or central")

    def _check_channels(self) -> None:
        if len(self.windows) not in (1, len(self.channels)):
            raise ValueError(
                f"{len(self.channels)} channels need one window or one each, found "
                f"{len(self.windows)}"
            )
        if any(not channel for channel in self.channels):
            raise ValueError("a channel needs an offset at least, such as [0]")
        if self.slices.count != 1 or self.around or self.one_side or self.plane == "photo":
            raise ValueError("channels are for whole slices: no around, one_side or slices.count")
        if any(window.region != "slice" for window in self.windows):
            raise ValueError("channels have windows of the whole slice")

    @property
    def _picks_unit(self) -> bool:
        return self.slices.pick == "level" or bool(self.channels)

    @property
    def by_unit(self) -> bool:
        """Whether units of one study have different crops."""
        return bool(self.channels) or (self.around is not None and self.of == "unit")

    @property
    def depth(self) -> int:
        """Number of channels of a slice."""
        count = len(self.channels or self.windows)
        return count * (3 if self.plane == "photo" else 1)

    @property
    def plane(self) -> Plane:
        """The plane of all its series."""
        return plane_of(self.series[0])

    @property
    def slots(self) -> int:
        """Number of stored slices: those of both sides where networks see one."""
        both = self.one_side is not None and self.plane == "sagittal"
        return self.slices.count * (2 if both else 1)

    @property
    def whole(self) -> tuple[int, int]:
        """Height and width of what the size in mm means, px; networks may see one side of it."""
        rows, columns = self.pixels
        if self.one_side is None or self.plane == "sagittal":
            return rows, columns
        return rows, round(columns / self.one_side)

    @property
    def stored(self) -> tuple[int, int]:
        """Height and width of the stored crop, px: the same border on both sides."""
        height, width = (
            size + 2 * self._border(seen)
            for size, seen in zip(self.whole, self.pixels, strict=True)
        )
        return height, width

    @property
    def window(self) -> tuple[slice, slice, slice]:
        """Slots, rows and columns of the stored crop that networks see."""
        top, border = self._border(self.pixels[0]), self._border(self.pixels[1])
        right = border + self.whole[1]  # canonical columns run to the patient's left
        return (
            slice(self.slots - self.slices.count, self.slots),
            slice(top, top + self.pixels[0]),
            slice(right - self.pixels[1], right),
        )

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
