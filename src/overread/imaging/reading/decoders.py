"""Decoders of single frames: for each wrapping the fastest first, then the next.

One table; the order was measured on a 512 x 512 CT slice of 12 bits (ms: RLE 0.4, JPEG 0.3, JPEG
lossless 2.3, JPEG-LS 6.4, JPEG 2000 16 with OpenJPEG and 18 with GDCM, HTJ2K 3.0). Each decoder
gets bytes whose own header was checked, and returns stored values as (rows, columns) or (rows,
columns, 3), without a change of colour space except where the codestream itself demands one.
"""

import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import gdcm
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from overread.imaging.reading.bitstreams import BitstreamError, frame_size, rle_segments
from overread.imaging.reading.layout import PixelLayout

__all__ = ["DECODERS", "FrameError", "decode_frame"]

Pixels = NDArray[Any]
for _silence in (gdcm.Trace.WarningOff, gdcm.Trace.ErrorOff, gdcm.Trace.DebugOff):
    _silence()  # gdcm writes to stderr what it raises as well
Decoder = Callable[[bytes, PixelLayout], Pixels]


class FrameError(ValueError):
    """A compressed frame that no decoder could read."""


def decode_frame(data: bytes, layout: PixelLayout) -> Pixels:
    """Return the stored values of one compressed frame by the first decoder that can.

    Raises:
        FrameError: if the frame's own header contradicts the file's, or every decoder refused.
    """
    _check_header(data, layout)
    refusals = []
    for name, decoder in DECODERS[layout.wrapping].items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pixels = decoder(data, layout)
        except Exception as error:  # noqa: BLE001 - each library raises errors of its own
            refusals.append(f"{name}: {str(error).strip()[:100] or type(error).__name__}")
            continue
        expected = (layout.rows, layout.columns, *((3,) if layout.samples == 3 else ()))
        if pixels.shape == expected:
            return pixels
        refusals.append(f"{name}: gave shape {pixels.shape}, expected {expected}")
    raise FrameError("; ".join(refusals))


def _check_header(data: bytes, layout: PixelLayout) -> None:
    try:
        if layout.wrapping == "rle":
            rle_segments(data, layout.samples * (layout.allocated // 8))
            return
        size = frame_size(data)
    except BitstreamError as error:
        raise FrameError(str(error)) from error
    found = size.rows, size.columns, size.samples
    expected = layout.rows, layout.columns, layout.samples
    if found != expected:
        raise FrameError(
            f"the codestream holds {found[0]} x {found[1]} x {found[2]} values, "
            f"the header says {expected[0]} x {expected[1]} x {expected[2]}"
        )
    if size.bits > layout.allocated:
        raise FrameError(f"{size.bits} bits in the codestream, {layout.allocated} in the header")


def _unsigned(layout: PixelLayout) -> np.dtype[Any]:
    return np.dtype(f"u{max(1, layout.allocated // 8)}")


def _rle(data: bytes, layout: PixelLayout) -> Pixels:
    dtype = _unsigned(layout)
    values = np.frombuffer(imagecodecs.dicomrle_decode(data, dtype), dtype)
    planes: Pixels = values.reshape(layout.samples, layout.rows, layout.columns)
    return planes[0] if layout.samples == 1 else planes.transpose(1, 2, 0)


def _jpeg(data: bytes, layout: PixelLayout) -> Pixels:
    # Colours are left as they lie in the codestream: the header tells what they are.
    space = None if layout.samples == 1 else "RGB"
    pixels: Pixels = imagecodecs.jpeg8_decode(data, colorspace=space, outcolorspace=space)
    return pixels


def _jpeg_lossless(data: bytes, layout: PixelLayout) -> Pixels:
    del layout
    pixels: Pixels = imagecodecs.jpegsof3_decode(data)
    return pixels


def _ljpeg(data: bytes, layout: PixelLayout) -> Pixels:
    del layout
    pixels: Pixels = imagecodecs.ljpeg_decode(data)
    return pixels


def _openjpeg(data: bytes, layout: PixelLayout) -> Pixels:
    del layout
    pixels: Pixels = imagecodecs.jpeg2k_decode(data, numthreads=1)
    return pixels


def _gdcm(data: bytes, layout: PixelLayout) -> Pixels:
    """Decode through a gdcm.Image of one frame (what pydicom's GDCM plugin does)."""
    size = frame_size(data)
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((layout.columns, layout.rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(layout.photometric or "MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    syntax = gdcm.TransferSyntax.GetTSType(GDCM_SYNTAX[layout.wrapping])
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    container = 8 if size.bits <= 8 else 16 if size.bits <= 16 else 32
    image.SetPixelFormat(
        gdcm.PixelFormat(layout.samples, container, size.bits, size.bits - 1, int(size.signed))
    )
    raw = image.GetBuffer().encode("utf-8", "surrogateescape")
    dtype = np.dtype(f"{'i' if size.signed else 'u'}{container // 8}")
    values = np.frombuffer(raw, dtype)
    shape = (layout.rows, layout.columns, *((3,) if layout.samples == 3 else ()))
    return values[: int(np.prod(shape))].reshape(shape)


GDCM_SYNTAX = {
    "jpeg_2000": "1.2.840.10008.1.2.4.91",
    "jpeg_lossless": "1.2.840.10008.1.2.4.57",
    "jpeg_ls": "1.2.840.10008.1.2.4.81",
}

DECODERS: Mapping[str, Mapping[str, Decoder]] = MappingProxyType(
    {
        "rle": {"imagecodecs dicomrle": _rle},
        "jpeg": {"libjpeg-turbo": _jpeg},
        "jpeg12": {"libjpeg-turbo": _jpeg},
        "jpeg_lossless": {
            "libjpeg-turbo": _jpeg,
            "imagecodecs jpegsof3": _jpeg_lossless,
            "imagecodecs ljpeg": _ljpeg,
            "gdcm": _gdcm,
        },
        # CharLS 2 (imagecodecs, pyjpegls: 4.9 ms against 6.4) takes up to 30 s for one broken
        # frame of 40 x 48 pixels.
        "jpeg_ls": {"gdcm": _gdcm},
        "jpeg_2000": {"openjpeg": _openjpeg, "gdcm": _gdcm},
        # OpenJPH (imagecodecs: 1.5 ms against 3.0) gives broken frames back without an error.
        "htj2k": {"openjpeg": _openjpeg},
    }
)
