"""Stores pixels in a DICOM dataset, plain or losslessly compressed."""

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from overread.phantoms.scanner import U16


def store_pixels(dataset: Dataset, pixels: U16, transfer_syntax: str) -> None:
    """Set PixelData of a dataset; its file meta must name the same transfer syntax.

    Args:
        dataset: with Rows, Columns and the bits already set.
        pixels: (rows, columns).
        transfer_syntax: UID; Explicit VR Little Endian, or RLE, JPEG-LS, JPEG 2000 or
            JPEG process 14 SV1, all lossless.

    Raises:
        ValueError: for any other transfer syntax.
    """
    pixels = np.ascontiguousarray(pixels)
    if transfer_syntax == ExplicitVRLittleEndian:
        dataset.PixelData = pixels.astype("<u2", copy=False).tobytes()
        dataset["PixelData"].VR = "OW"
        return
    dataset.PixelData = encapsulate([_encode(pixels, transfer_syntax)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def _encode(pixels: U16, transfer_syntax: str) -> bytes:
    if transfer_syntax == JPEG2000Lossless:
        return bytes(imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, level=0))
    if transfer_syntax == JPEGLSLossless:
        return bytes(imagecodecs.jpegls_encode(pixels))
    if transfer_syntax == JPEGLosslessSV1:
        return bytes(imagecodecs.ljpeg_encode(pixels, bitspersample=16))
    if transfer_syntax == RLELossless:
        return _encode_rle(pixels)
    raise ValueError(
        f"Cannot store pixels as {transfer_syntax}; expected Explicit VR Little Endian, "
        "RLE Lossless, JPEG-LS Lossless, JPEG 2000 Lossless or JPEG Lossless SV1."
    )


def _encode_rle(pixels: U16) -> bytes:
    """Encode as DICOM RLE (PS3.5 annex G): high bytes first, then low bytes, row by row."""
    planes = [(pixels >> 8).astype(np.uint8), (pixels & 255).astype(np.uint8)]
    segments = []
    for plane in planes:
        segment = b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in plane)
        segments.append(segment + b"\0" * (len(segment) % 2))
    header = np.zeros(16, "<u4")
    header[:3] = [2, 64, 64 + len(segments[0])]
    return header.tobytes() + b"".join(segments)
