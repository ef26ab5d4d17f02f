"""Stacks of plain slices: 16 bits, grey, not compressed; from the files straight into one array.

Most archives hold little else. Whatever is out of the ordinary is left to the general way, which
gives the same pixels and says what is wrong.
"""

import os
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.imaging.reading import tags
from overread.imaging.reading.enhanced import has_groups
from overread.imaging.reading.header import Header, read_header
from overread.imaging.reading.layout import PixelLayout, layout_of
from overread.imaging.reading.rescale import Rescale, rescale_of
from overread.imaging.reading.syntaxes import DEFLATED
from overread.records import Stack

__all__ = ["plain_pixels"]

INT16 = np.iinfo(np.int16)


def plain_pixels(stack: Stack) -> tuple[NDArray[np.int16], bool] | None:
    """Return the pixels of a stack after the modality rescale, and whether they are HU.

    None where one of its slices is not plain, has another size than the first, cannot be read, or
    holds values that do not fit 16 bits with a sign.
    """
    sizes = stack.planes.size
    if not len(sizes) or (sizes != sizes[0]).any() or stack.role == "photo":
        return None
    pixels: NDArray[np.int16] | None = None
    hounsfield = True
    for place, frame in enumerate(stack.frames):
        try:
            header = read_header(frame.path)
            layout = layout_of(header)
        except ValueError:  # the general way says what is wrong
            return None
        rescale = _plain_rescale(header, layout)
        if rescale is None or frame.index >= layout.frames:
            return None
        if (layout.rows, layout.columns) != tuple(sizes[0]):
            return None
        if pixels is None:
            pixels = _room(len(sizes), layout)
        if pixels is None or not _filled(pixels[place], header, layout, frame.index, rescale):
            return None
        hounsfield = hounsfield and rescale.hounsfield
    return None if pixels is None else (pixels, hounsfield)


def _room(count: int, layout: PixelLayout) -> NDArray[np.int16] | None:
    try:
        return np.empty((count, layout.rows, layout.columns), np.int16)
    except MemoryError:
        return None


def _plain_rescale(header: Header, layout: PixelLayout) -> Rescale | None:
    """Return the rescale of a plain file whose values move by a whole number; else None."""
    plain = (
        layout.wrapping == "raw"
        and header.elements.pixel_length is not None
        and header.elements.syntax != DEFLATED
        and layout.allocated == 16
        and layout.high == layout.stored - 1
        and layout.samples == 1
        and not layout.floating
        and layout.little == (sys.byteorder == "little")
        and layout.photometric in {"MONOCHROME2", ""}
        and not header.has(tags.MODALITY_LUT)
        and not has_groups(header)
    )
    if not plain:
        return None
    rescale = rescale_of(header)
    return rescale if rescale.slope == 1 and rescale.intercept.is_integer() else None


def _filled(
    target: NDArray[np.int16], header: Header, layout: PixelLayout, index: int, rescale: Rescale
) -> bool:
    """Read one slice into its place; False where it is short or its values do not fit."""
    start = header.elements.pixel_offset + index * target.nbytes
    if _read(header, start, target) != target.nbytes:
        return False
    stored: NDArray[Any] = target if layout.signed else target.view(np.uint16)
    least, most = _stored_range(layout)
    low, high = int(stored.min()) if layout.signed else 0, int(stored.max())
    if low < least or high > most:  # bits that do not count
        return False
    plus = int(rescale.intercept)
    if low + plus < INT16.min or high + plus > INT16.max:
        return False
    if plus:
        # Modulo 2^16 the sum is right, since it fits.
        words = target.view(np.uint16)
        words += np.uint16(plus % 2**16)
    return True


def _read(header: Header, start: int, target: NDArray[np.int16]) -> int:
    try:
        descriptor = os.open(header.path, os.O_RDONLY)
    except OSError:
        return 0
    try:
        return os.preadv(descriptor, [target.data], start)
    except OSError:
        return 0
    finally:
        os.close(descriptor)


def _stored_range(layout: PixelLayout) -> tuple[int, int]:
    if layout.signed:
        return -(2 ** (layout.stored - 1)), 2 ** (layout.stored - 1) - 1
    return 0, 2**layout.stored - 1
