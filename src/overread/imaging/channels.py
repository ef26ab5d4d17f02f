"""Neighbouring slices as the channels of one image: the slice that is graded, and those around it.

A channel is one offset along the scan, the mean of several, or the mean of the whole scan, each
seen through a window. How a slice is cut is not known here: it is handed in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from overread.imaging.neighbours import neighbours
from overread.imaging.pixels import StudyPixels
from overread.imaging.scan_order import scan_slices
from overread.imaging.views import ViewSpec
from overread.imaging.windows import WindowSpec
from overread.records import Frame, Planes, Volume

__all__ = ["Scan", "SliceImage", "scan_of", "stack_channels"]

F32 = NDArray[np.float32]
# Cut slices that are kept for the neighbours that ask again; a large view of three windows needs
# a megabyte for each.
KEPT = 48


@dataclass(frozen=True, eq=False)
class SliceImage:
    """One slice of a scan, with its pixels."""

    volume: Volume
    index: int
    frame: Frame
    height_mm: float

    @property
    def plane(self) -> Planes:
        """Its plane alone."""
        return self.volume.planes.take([self.index])


@dataclass(frozen=True, eq=False)
class Scan:
    """The slices of one series from the feet to the head.

    Attributes:
        sites: of the slices, such as "1/0012".
        slices: in the same order.
        kept: slices that were cut, by place, view and window; their neighbours ask again.
    """

    sites: tuple[str, ...]
    slices: tuple[SliceImage, ...]
    kept: dict[tuple[object, ...], F32]

    def __len__(self) -> int:
        """Return the number of slices."""
        return len(self.slices)


_SCANS: WeakKeyDictionary[StudyPixels, dict[str, tuple[Scan, ...]]] = WeakKeyDictionary()


def scan_of(study: StudyPixels, role: str, site: str | None) -> tuple[Scan, int] | None:
    """Return the scan that holds a site, and its place from 0; None where no slice is there.

    Without a site a study of a single slice is that slice.
    """
    scans = _SCANS.setdefault(study, {})
    if role not in scans:
        scans[role] = _scans(study, role)
    if site is None:
        alone = [scan for scan in scans[role] if len(scan) == 1]
        return (alone[0], 0) if len(scans[role]) == len(alone) == 1 else None
    for scan in scans[role]:
        if site in scan.sites:
            return scan, scan.sites.index(site)
    return None


def _scans(study: StudyPixels, role: str) -> tuple[Scan, ...]:
    parts = study.with_role(role)
    found = []
    table = scan_slices([study.study], role)
    for _, rows in table.group_by("number", maintain_order=True):
        slices = [
            SliceImage(parts[stack][2], index, parts[stack][1].frames[index], height)
            for stack, index, height in rows.select("stack", "slice", "height_mm").iter_rows()
        ]
        found.append(Scan(tuple(rows["site"]), tuple(slices), {}))
    return tuple(found)


def stack_channels(
    view: ViewSpec, scan: Scan, place: int, crop: Callable[[SliceImage, WindowSpec], F32]
) -> F32:
    """Return the channels of one slice, (channels, rows, columns).

    Args:
        view: tells channels, windows and what stands in for slices beyond the ends.
        scan: the slices.
        place: of the slice that is graded, from 0.
        crop: cuts a slice, as the view says, seen through a window. Cuts are kept with the scan.
    """
    windows = view.windows * (len(view.channels) if len(view.windows) == 1 else 1)
    layers: list[F32 | None] = []
    for channel, window in zip(view.channels, windows, strict=True):
        cutter = _Cutter(view, scan, window, crop)
        if channel == "all":
            layers.append(cutter.mean_of_all())
            continue
        places = neighbours(place, len(scan), channel, view.boundary)
        layers.append(_mean([cutter.of(one) for one in places]) if places else None)
    shape = next((layer.shape for layer in layers if layer is not None), view.stored)
    return np.stack([np.zeros(shape, np.float32) if one is None else one for one in layers])


@dataclass(frozen=True, eq=False)
class _Cutter:
    """Cuts slices of a scan through one window, and keeps them."""

    view: ViewSpec
    scan: Scan
    window: WindowSpec
    crop: Callable[[SliceImage, WindowSpec], F32]

    def of(self, place: int) -> F32:
        """Return one slice."""
        kept, key = self.scan.kept, (place, self.view, self.window)
        if key not in kept:
            slices = [one for one in kept if one[0] != "all"]
            if len(slices) >= KEPT:
                del kept[slices[0]]
            kept[key] = self.crop(self.scan.slices[place], self.window)
        return kept[key]

    def mean_of_all(self) -> F32:
        """Return the mean of the whole scan."""
        kept, key = self.scan.kept, ("all", self.view, self.window)
        if key not in kept:
            kept[key] = _mean([self.crop(one, self.window) for one in self.scan.slices])
        return kept[key]


def _mean(images: Sequence[F32]) -> F32:
    if len(images) == 1:
        return images[0]
    total = images[0].astype(np.float64)
    for image in images[1:]:
        total += image
    return (total / len(images)).astype(np.float32)
