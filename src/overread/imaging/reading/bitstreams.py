"""The header of a compressed frame: its own size, checked before a decoder sees it.

Sources: RLE DICOM PS3.5 G.5; JPEG ITU-T T.81 B.2.2; JPEG-LS ITU-T T.87 C.2.2; JPEG 2000 ITU-T
T.800 A.5.1.
"""

import struct
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["BitstreamError", "FrameSize", "frame_size", "rle_segments"]

JPEG_START, JPEG_2000_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
JP2_BOX = b"\x00\x00\x00\x0cjP  "
FRAME_MARKERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})


class BitstreamError(ValueError):
    """Compressed bytes without a sound header of their own."""


@dataclass(frozen=True, slots=True)
class FrameSize:
    """What a codestream says about itself.

    Attributes:
        rows, columns: in pixels.
        samples: colours.
        bits: precision of a sample.
        signed: only JPEG 2000 tells.
    """

    rows: int
    columns: int
    samples: int
    bits: int
    signed: bool = False


def frame_size(data: bytes) -> FrameSize:
    """Return the size that a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream tells.

    Raises:
        BitstreamError: if there is no sound header.
    """
    try:
        if data.startswith(JPEG_2000_START):
            return _jpeg_2000(data, 4)
        if data.startswith(JP2_BOX):
            at = data.find(JPEG_2000_START)
            if at < 0:
                raise BitstreamError("a JP2 file without a codestream")
            return _jpeg_2000(data, at + 4)
        if data.startswith(JPEG_START):
            return _jpeg(data)
    except struct.error as error:
        raise BitstreamError("the codestream ends inside its header") from error
    raise BitstreamError(f"no codestream: the frame begins with {data[:4].hex() or 'nothing'}")


def rle_segments(data: bytes, expected: int) -> list[bytes]:
    """Return the segments of an RLE frame, one for each byte of a pixel.

    Raises:
        BitstreamError: if their number or their offsets cannot be.
    """
    if len(data) < 64:
        raise BitstreamError(f"an RLE frame of {len(data)} bytes; its header alone takes 64")
    count, *offsets = struct.unpack_from("<16L", data)
    if count != expected:
        raise BitstreamError(f"{count} RLE segments where {expected} were expected")
    edges = [*offsets[:count], len(data)]
    if edges[0] < 64 or any(low >= high for low, high in pairwise(edges)):
        raise BitstreamError("the offsets of the RLE segments do not ascend within the frame")
    return [data[low:high] for low, high in pairwise(edges)]


def _jpeg(data: bytes) -> FrameSize:
    at = 2
    while True:
        mark, kind = struct.unpack_from(">BB", data, at)
        if mark != 0xFF:
            raise BitstreamError(f"no marker at byte {at} of the codestream")
        if kind == 0xFF:  # fill byte
            at += 1
            continue
        if kind in BARE_MARKERS:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if kind in FRAME_MARKERS:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", data, at + 4)
            return FrameSize(rows, columns, samples, bits)
        if kind in {0xDA, 0xD9} or length < 2:
            raise BitstreamError("a codestream without a frame header")
        at += 2 + length


def _jpeg_2000(data: bytes, at: int) -> FrameSize:
    # Lsiz, Rsiz, Xsiz, Ysiz, XOsiz, YOsiz, four of the tiles, Csiz, then per component.
    _, _, x, y, x0, y0, *_, samples = struct.unpack_from(">HH8LH", data, at)
    (depth,) = struct.unpack_from(">B", data, at + 38)
    if x <= x0 or y <= y0:
        raise BitstreamError("a JPEG 2000 image without pixels")
    return FrameSize(y - y0, x - x0, samples, (depth & 0x7F) + 1, bool(depth & 0x80))
