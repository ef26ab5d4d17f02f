"""How pixels lie in a file, by its header, and whether that can be true.

Everything is checked before a decoder sees a byte: decoders are written in C and trust headers.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from overread.imaging.reading import tags
from overread.imaging.reading.elements import Elements
from overread.imaging.reading.header import Header
from overread.imaging.reading.syntaxes import BIG_ENDIAN, DEFLATED, name_of, wrapping_of

__all__ = ["LayoutError", "PixelLayout", "layout_of"]

DESCRIBING = (
    tags.ROWS,
    tags.COLUMNS,
    tags.NUMBER_OF_FRAMES,
    tags.SAMPLES_PER_PIXEL,
    tags.PLANAR_CONFIGURATION,
    tags.PHOTOMETRIC,
    tags.BITS_ALLOCATED,
    tags.BITS_STORED,
    tags.HIGH_BIT,
    tags.PIXEL_REPRESENTATION,
)
MOST_PIXELS = 2**31  # of one frame; more is a broken header
# Pixels that a byte can stand for at most: two bits a block of 8 x 8 in JPEG, one bit a sample
# in lossless JPEG; runs and empty packets go further, so there only nonsense is caught.
MOST_A_BYTE = {
    "jpeg": 256,
    "jpeg12": 256,
    "jpeg_lossless": 8,
    "jpeg_ls": 2**18,
    "jpeg_2000": 2**18,
    "htj2k": 2**18,
}
MOST_RLE = 64  # bytes from one: two make a run of 128 (PS3.5 G.3.1)
MOST_DEFLATED = 1032  # bytes from one
COLOURS_OF_ONE = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", ""})
COLOURS_OF_THREE = frozenset(
    {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"}
)


class LayoutError(ValueError):
    """Pixels that are missing, cut off, or described in a way that cannot be true.

    Attributes:
        code: of the finding that it becomes.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How to read the pixels of a file.

    Attributes:
        rows, columns: of every frame.
        frames: number of frames.
        samples: 1 (grey, palette) or 3 (colour).
        planar: whether colours lie plane by plane.
        photometric: PhotometricInterpretation.
        allocated: bits that a value takes: 1, 8, 16, 32 or 64.
        stored: bits that count.
        high: the highest bit that counts, from 0.
        signed: two's complement.
        floating: float or double pixels.
        wrapping: how frames are compressed; "raw" when not.
        little: byte order of raw values.
        swapped: whether neighbouring bytes of 8-bit values have changed places (OW, big endian).
    """

    rows: int
    columns: int
    frames: int
    samples: int
    planar: bool
    photometric: str
    allocated: int
    stored: int
    high: int
    signed: bool
    floating: bool
    wrapping: str
    little: bool
    swapped: bool = False

    @property
    def frame_bits(self) -> int:
        """Bits of one raw frame."""
        pixels = self.rows * self.columns * self.allocated
        if self.photometric in {"YBR_FULL_422", "YBR_PARTIAL_422"} and self.wrapping == "raw":
            return pixels * 2
        return pixels * self.samples

    @property
    def total_bytes(self) -> int:
        """Bytes of all raw frames."""
        return (self.frame_bits * self.frames + 7) // 8


def layout_of(header: Header) -> PixelLayout:
    """Return how the pixels of a file lie.

    Raises:
        LayoutError: with the code of its finding: "no_pixels", "pixels_missing",
            "transfer_syntax_unsupported", "pixels_inconsistent" or "pixels_truncated".
    """
    pixel_tag = _check_present(header)
    elements = header.elements
    layout = _layout(
        tuple(elements.values.get(tag) for tag in DESCRIBING),
        pixel_tag,
        elements.syntax,
        elements.pixel_vr,
        elements.little,
    )
    _check_length(header, layout)
    return layout


def _check_present(header: Header) -> int:
    pixel_tag = header.elements.pixel_tag
    if pixel_tag is None:
        if header.short(tags.ROWS) and header.short(tags.COLUMNS):
            raise LayoutError("pixels_missing", "an image without PixelData")
        what = header.text(tags.MODALITY) or "no modality"
        raise LayoutError("no_pixels", f"a DICOM object without pixels ({what})")
    if wrapping_of(header.elements.syntax) is None:
        raise LayoutError(
            "transfer_syntax_unsupported",
            f"transfer syntax {name_of(header.elements.syntax)} cannot be decoded",
        )
    return pixel_tag


@lru_cache(maxsize=1024)
def _layout(
    described: tuple[bytes | None, ...],
    pixel_tag: int,
    syntax: str,
    pixel_vr: bytes,
    little: bool,
) -> PixelLayout:
    """Return the checked layout; the files of a series share one."""
    values = {tag: raw for tag, raw in zip(DESCRIBING, described, strict=True) if raw is not None}
    elements = Elements(values, syntax, explicit=True, little=little)
    header = Header(Path(), 0, elements)
    floating = pixel_tag in {tags.FLOAT_PIXELS, tags.DOUBLE_PIXELS}
    allocated = header.short(tags.BITS_ALLOCATED) or 0
    if floating:
        allocated = 32 if pixel_tag == tags.FLOAT_PIXELS else 64
    stored = header.short(tags.BITS_STORED) or allocated
    high = header.short(tags.HIGH_BIT)
    layout = PixelLayout(
        header.short(tags.ROWS) or 0,
        header.short(tags.COLUMNS) or 0,
        header.num_frames,
        header.short(tags.SAMPLES_PER_PIXEL) or 1,
        header.short(tags.PLANAR_CONFIGURATION) == 1,
        header.text(tags.PHOTOMETRIC).upper(),
        allocated,
        allocated if floating else stored,
        stored - 1 if high is None or floating else high,
        header.short(tags.PIXEL_REPRESENTATION) == 1,
        floating,
        wrapping_of(syntax) or "raw",
        little,
        allocated == 8 and syntax == BIG_ENDIAN and pixel_vr == b"OW",
    )
    _check_numbers(layout)
    return layout


def _check_numbers(layout: PixelLayout) -> None:
    if not layout.rows or not layout.columns:
        _contradiction(f"{layout.rows} rows and {layout.columns} columns")
    if layout.rows * layout.columns * layout.frames > MOST_PIXELS * 8:
        _contradiction(f"{layout.frames} frames of {layout.rows} x {layout.columns} pixels")
    if layout.allocated not in {1, 8, 16, 32, 64}:
        _contradiction(f"BitsAllocated {layout.allocated}; expected 1, 8, 16, 32 or 64")
    if not layout.stored <= layout.allocated or not layout.stored - 1 <= layout.high:
        _contradiction(f"BitsStored {layout.stored} with HighBit {layout.high}")
    if layout.high >= layout.allocated:
        _contradiction(f"HighBit {layout.high} with BitsAllocated {layout.allocated}")
    known = COLOURS_OF_ONE if layout.samples == 1 else COLOURS_OF_THREE
    if layout.samples not in {1, 3} or layout.photometric not in known:
        _contradiction(
            f"{layout.samples} samples per pixel with photometric interpretation "
            f"{layout.photometric or 'missing'}"
        )


def _check_length(header: Header, layout: PixelLayout) -> None:
    length = header.elements.pixel_length
    if length is None:
        if not header.complete:
            raise LayoutError("pixels_truncated", "the compressed pixels end before their end mark")
        if layout.wrapping == "raw" and header.elements.syntax != "1.2.840.10008.1.2.1.98":
            _contradiction("encapsulated pixels in an uncompressed transfer syntax")
        _check_fragments(header, layout)
        return
    if layout.wrapping != "raw":
        _contradiction(
            f"pixels are not encapsulated, but the syntax is {name_of(header.elements.syntax)}"
        )
    there = min(length, header.size - header.elements.pixel_offset)
    if header.elements.syntax == DEFLATED:
        there = min(length, header.size * MOST_DEFLATED)
    if there < layout.total_bytes:
        raise LayoutError(
            "pixels_truncated",
            f"{there} bytes of pixels; {layout.frames} x {layout.rows} x {layout.columns} pixels "
            f"of {layout.allocated} bits need {layout.total_bytes}",
        )


def _check_fragments(header: Header, layout: PixelLayout) -> None:
    """Compare frames and pixels with what the compressed bytes can hold, before any is decoded."""
    if header.fragments is not None and layout.frames > header.fragments:
        raise LayoutError(
            "pixels_truncated",
            f"{header.fragments} fragments of compressed pixels; NumberOfFrames {layout.frames} "
            "needs at least one each",
        )
    there = header.size - header.elements.pixel_offset
    if header.elements.syntax == DEFLATED:
        there = header.size * MOST_DEFLATED
    if layout.wrapping in MOST_A_BYTE:
        needed = layout.rows * layout.columns * layout.frames / MOST_A_BYTE[layout.wrapping]
    else:
        needed = layout.total_bytes / (MOST_RLE if layout.wrapping == "rle" else 1)
    if there < needed:
        raise LayoutError(
            "pixels_truncated",
            f"{there} bytes of compressed pixels cannot hold {layout.frames} x {layout.rows} x "
            f"{layout.columns} pixels; expected at least {int(needed)}",
        )


def _contradiction(words: str) -> None:
    raise LayoutError("pixels_inconsistent", words)
