"""Pictures of a head CT for people: every slice in the windows that a reader uses.

What networks saw is not shown here: their channels are no pictures. How pictures are laid out on a
page is not known.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from overread.imaging import StudyPixels, ViewSpec, cut
from overread.inference.grades import Picture

__all__ = ["WINDOWS_SHOWN", "picture_scan"]

WINDOWS_SHOWN = ("brain", "subdural")
PIXELS = 320
BODY = 0.04  # of the brightest value of the widest window: less is air
BORDER_PX = 6


def picture_scan(pixels: StudyPixels, sites: Sequence[str | None]) -> tuple[Picture, ...]:
    """Return two pictures of each slice, brain (40/80) and subdural (80/200), feet to head.

    All are cut to the part of the field that holds anything, the same for the whole study.

    Args:
        pixels: the decoded study.
        sites: of its slices.
    """
    shown = list(_slices(pixels, sites))
    if not shown:
        return ()
    rows, columns = _body(np.stack([image[-1] for _, _, image in shown]))
    return tuple(
        Picture(window, _grey(layer[rows, columns]), uid, site, kind="slice")
        for site, uid, image in shown
        for window, layer in zip(WINDOWS_SHOWN, image, strict=True)
    )


def _slices(
    pixels: StudyPixels, sites: Sequence[str | None]
) -> Iterator[tuple[str | None, str, NDArray[np.float32]]]:
    """Yield site, SOP instance UID and (windows, rows, columns) of each slice that is there."""
    view = ViewSpec.model_validate(
        {
            "series": "ct",
            "windows": WINDOWS_SHOWN,
            "channels": [[0]] * len(WINDOWS_SHOWN),
            "pixels": (PIXELS, PIXELS),
            "margin": 1,
        }
    )
    for site in sites:
        found = cut(view, pixels, {}, site)
        frame = found.frames[0]
        if frame is not None:
            yield site, frame.sop_instance_uid, found.pixels[0].astype(np.float32)


def _body(images: NDArray[np.float32]) -> tuple[slice, slice]:
    """Return rows and columns that hold more than air in some slice, with a border."""
    there = images.max(axis=0) > BODY
    spans = []
    for axis in (1, 0):
        inside = np.flatnonzero(there.mean(axis=axis) > 0.01)
        low, high = (inside[0], inside[-1] + 1) if len(inside) else (0, there.shape[1 - axis])
        spans.append(slice(max(int(low) - BORDER_PX, 0), int(high) + BORDER_PX))
    return spans[0], spans[1]


def _grey(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.round(image.clip(0, 1) * 255), np.uint8)
