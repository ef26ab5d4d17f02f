"""Transfer syntaxes: which can be read, and how their pixels are wrapped."""

from typing import Literal

__all__ = ["BIG_ENDIAN", "DEFLATED", "READABLE", "Wrapping", "name_of", "wrapping_of"]

Wrapping = Literal["raw", "rle", "jpeg", "jpeg12", "jpeg_lossless", "jpeg_ls", "jpeg_2000", "htj2k"]
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"

READABLE: dict[str, tuple[str, Wrapping]] = {
    "": ("not named", "raw"),
    "1.2.840.10008.1.2": ("Implicit VR Little Endian", "raw"),
    "1.2.840.10008.1.2.1": ("Explicit VR Little Endian", "raw"),
    "1.2.840.10008.1.2.1.98": ("Encapsulated Uncompressed", "raw"),
    DEFLATED: ("Deflated Explicit VR Little Endian", "raw"),
    BIG_ENDIAN: ("Explicit VR Big Endian", "raw"),
    "1.2.840.10008.1.2.5": ("RLE Lossless", "rle"),
    "1.2.840.10008.1.2.4.50": ("JPEG Baseline", "jpeg"),
    "1.2.840.10008.1.2.4.51": ("JPEG Extended", "jpeg12"),
    "1.2.840.10008.1.2.4.57": ("JPEG Lossless", "jpeg_lossless"),
    "1.2.840.10008.1.2.4.70": ("JPEG Lossless SV1", "jpeg_lossless"),
    "1.2.840.10008.1.2.4.80": ("JPEG-LS Lossless", "jpeg_ls"),
    "1.2.840.10008.1.2.4.81": ("JPEG-LS Near Lossless", "jpeg_ls"),
    "1.2.840.10008.1.2.4.90": ("JPEG 2000 Lossless", "jpeg_2000"),
    "1.2.840.10008.1.2.4.91": ("JPEG 2000", "jpeg_2000"),
    "1.2.840.10008.1.2.4.201": ("HTJ2K Lossless", "htj2k"),
    "1.2.840.10008.1.2.4.202": ("HTJ2K Lossless RPCL", "htj2k"),
    "1.2.840.10008.1.2.4.203": ("HTJ2K", "htj2k"),
}


def wrapping_of(syntax: str) -> Wrapping | None:
    """Return how pixels of a transfer syntax are wrapped; None when it cannot be read."""
    known = READABLE.get(syntax)
    return known[1] if known else None


def name_of(syntax: str) -> str:
    """Return a transfer syntax by name, or its UID when it is not readable."""
    return READABLE[syntax][0] if syntax in READABLE else syntax
