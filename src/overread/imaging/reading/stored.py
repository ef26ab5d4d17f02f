"""The stored values of a file's frames: raw or compressed, masked to the bits that count.

Values come as they are meant by the header (signed or not), before any rescale and in the file's
own colour space.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.imaging.reading import tags
from overread.imaging.reading.decoders import FrameError, decode_frame
from overread.imaging.reading.elements import inflate
from overread.imaging.reading.header import Header
from overread.imaging.reading.layout import PixelLayout
from overread.imaging.reading.syntaxes import DEFLATED

__all__ = ["stored_frames"]

Pixels = NDArray[Any]


def stored_frames(header: Header, layout: PixelLayout, indices: Sequence[int]) -> list[Pixels]:
    """Return the stored values of these frames of a file.

    Args:
        header: of the file.
        layout: of its pixels, already checked.
        indices: frame numbers, from 0.

    Returns:
        one array a frame, (rows, columns) or (rows, columns, 3), integers or floats.

    Raises:
        FrameError: if a frame is missing or cannot be decoded.
        OSError: if the file cannot be read any more.
    """
    if max(indices, default=0) >= layout.frames:
        raise FrameError(f"frame {max(indices)} of {layout.frames}")
    if header.elements.pixel_length is None:
        frames = _encapsulated(header, layout)
        if len(frames) <= max(indices):
            raise FrameError(f"{len(frames)} compressed frames; the header says {layout.frames}")
        if layout.wrapping == "raw":
            return [_counting(_raw_frame(frames[i], layout), layout) for i in indices]
        return [_counting(decode_frame(frames[i], layout), layout) for i in indices]
    if layout.allocated == 1:
        return _single_bits(header, layout, indices)
    return [_counting(_raw_frame(_raw_bytes(header, layout, i), layout), layout) for i in indices]


def _encapsulated(header: Header, layout: PixelLayout) -> list[bytes]:
    with header.path.open("rb") as file:
        file.seek(header.elements.pixel_offset)
        data = file.read()
    from pydicom.encaps import generate_frames  # only wrapped pixels need it

    values = header.elements.values
    offsets, lengths = values.get(tags.EXTENDED_OFFSETS), values.get(tags.EXTENDED_LENGTHS)
    extended = (offsets, lengths) if offsets and lengths else None
    try:
        return list(
            generate_frames(data, number_of_frames=layout.frames, extended_offsets=extended)
        )
    except (ValueError, struct.error, EOFError, IndexError) as error:
        raise FrameError(f"the fragments cannot be put together ({error})") from error


def _raw_bytes(header: Header, layout: PixelLayout, index: int) -> bytes:
    elements = header.elements
    size = layout.frame_bits // 8
    start = index * size
    if elements.syntax == DEFLATED:
        with header.path.open("rb") as file:
            file.seek(elements.dataset_offset)
            data, _ = inflate(file.read(), elements.pixel_offset + layout.total_bytes)
        data = data[elements.pixel_offset + start : elements.pixel_offset + start + size]
    else:
        # Words whose bytes changed places begin at even bytes; an odd frame needs one more.
        spare = start % 2 if layout.swapped else 0
        more = (size + spare) % 2 if layout.swapped else 0
        with header.path.open("rb") as file:
            file.seek(elements.pixel_offset + start - spare)
            data = file.read(spare + size + more)
        if layout.swapped:
            words = np.frombuffer(data[: len(data) // 2 * 2], np.uint16)
            data = words.byteswap().tobytes()[spare : spare + size]
    if len(data) < size:
        raise FrameError(f"{len(data)} bytes where a frame takes {size}")
    return data


def _raw_frame(data: bytes, layout: PixelLayout) -> Pixels:
    order = "<" if layout.little else ">"
    kind = "f" if layout.floating else "u"
    values: Pixels = np.frombuffer(data, np.dtype(f"{order}{kind}{layout.allocated // 8}"))
    rows, columns = layout.rows, layout.columns
    if layout.samples == 1:
        return values[: rows * columns].reshape(rows, columns)
    if layout.photometric in {"YBR_FULL_422", "YBR_PARTIAL_422"}:
        return _widened(values, rows, columns)
    values = values[: rows * columns * 3]
    if layout.planar:
        return values.reshape(3, rows, columns).transpose(1, 2, 0)
    return values.reshape(rows, columns, 3)


def _widened(values: Pixels, rows: int, columns: int) -> Pixels:
    """Return (rows, columns, 3) from Y Y Cb Cr of two neighbours each (PS3.3 C.7.6.3.1.2)."""
    pairs = values[: rows * columns * 2].reshape(-1, 4)
    wide = np.empty((len(pairs), 2, 3), values.dtype)
    wide[:, 0, 0], wide[:, 1, 0] = pairs[:, 0], pairs[:, 1]
    wide[:, :, 1], wide[:, :, 2] = pairs[:, 2:3], pairs[:, 3:4]
    return wide.reshape(rows, columns, 3)


def _single_bits(header: Header, layout: PixelLayout, indices: Sequence[int]) -> list[Pixels]:
    with header.path.open("rb") as file:
        file.seek(header.elements.pixel_offset)
        packed = np.frombuffer(file.read(layout.total_bytes), np.uint8)
    bits = np.unpackbits(packed, bitorder="little")
    size = layout.rows * layout.columns
    return [
        bits[index * size : (index + 1) * size].reshape(layout.rows, layout.columns)
        for index in indices
    ]


def _counting(values: Pixels, layout: PixelLayout) -> Pixels:
    """Return values with their sign, without bits that do not count (old overlays).

    Bits above the highest one are shifted out to the left, bits below to the right; the right
    shift of a signed type copies the sign bit.
    """
    if layout.floating or values.dtype.kind == "f":
        return values
    width = values.dtype.itemsize * 8
    kind = "i" if layout.signed else "u"
    # Codestreams hold the bits that count, from 0.
    high = layout.high if layout.wrapping in {"raw", "rle"} else layout.stored - 1
    native = values.dtype.newbyteorder("=")
    meant = values.astype(native, copy=False).view(np.dtype(f"{kind}{width // 8}"))
    left = width - 1 - high
    right = width - layout.stored
    if left < 0 or right <= 0:
        return meant
    if left == right and not layout.signed:
        counting: Pixels = meant & meant.dtype.type(2**layout.stored - 1)
        return counting
    return (meant << left) >> right
