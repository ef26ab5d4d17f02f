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
from overread.imaging.reading.header import Header, header_of, opened
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
    size = (int(sizes[0][0]), int(sizes[0][1]))
    pixels: NDArray[np.int16] | None = None
    hounsfield = True
    for place, frame in enumerate(stack.frames):
        try:
            with opened(frame.path) as descriptor:  # once for header and pixels
                header = header_of(frame.path, descriptor)
                layout = layout_of(header)
                rescale = _plain_rescale(header, layout)
                fits = frame.index < layout.frames and (layout.rows, layout.columns) == size
                if rescale is None or not fits:
                    return None
                if pixels is None:  # now that one file is known to be as long as it says
                    pixels = np.empty((len(sizes), *size), np.int16)
                target = pixels[place]
                start = header.elements.pixel_offset + frame.index * target.nbytes
                found = os.preadv(descriptor, [target.data], start)
        except (ValueError, OSError, MemoryError):  # the general way says what is wrong
            return None
        if found != target.nbytes or not _moved(target, layout, rescale):
            return None
        hounsfield = hounsfield and rescale.hounsfield
    return None if pixels is None else (pixels, hounsfield)


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


def _moved(values: NDArray[np.int16], layout: PixelLayout, rescale: Rescale) -> bool:
    """Add the intercept to the stored values in place; False where they do not fit."""
    stored: NDArray[Any] = values if layout.signed else values.view(np.uint16)
    least, most = _stored_range(layout)
    low, high = int(stored.min()) if layout.signed else 0, int(stored.max())
    if low < least or high > most:  # bits that do not count
        return False
    plus = int(rescale.intercept)
    if low + plus < INT16.min or high + plus > INT16.max:
        return False
    if plus:
        # Modulo 2^16 the sum is right, since it fits.
        words = values.view(np.uint16)
        words += np.uint16(plus % 2**16)
    return True


def _stored_range(layout: PixelLayout) -> tuple[int, int]:
    if layout.signed:
        return -(2 ** (layout.stored - 1)), 2 ** (layout.stored - 1) - 1
    return 0, 2**layout.stored - 1
