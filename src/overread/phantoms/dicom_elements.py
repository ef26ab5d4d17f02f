"""Single DICOM elements as bytes: UIDs, decimal strings, short elements, file meta information.

UIDs are hashes under 2.25, and no date of today enters, so that files repeat byte for byte.
"""

import struct
from collections.abc import Iterable
from hashlib import sha256

__all__ = ["decimal", "decimals", "element", "file_meta", "make_uid"]

_IMPLEMENTATION = "2.25.298736423984012374651203745610293847"


def make_uid(*words: object) -> str:
    """Return a UID under 2.25 that depends on the words alone."""
    digest = sha256("/".join(str(word) for word in words).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def decimal(value: float) -> str:
    """Write a decimal string of at most 16 characters, without a negative zero."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def decimals(values: Iterable[float]) -> str:
    """Write several decimal strings as one value."""
    return "\\".join(decimal(float(value)) for value in values)


def element(tag: int, vr: str, value: str | int) -> tuple[int, bytes]:
    """Encode one element with a short length (PS3.5 7.1.2): text, or a 16 bit number."""
    if isinstance(value, int):
        data = value.to_bytes(2, "little")
    else:
        data = value.encode("ascii")
        data += (b"\0" if vr == "UI" else b" ") * (len(data) % 2)
    head = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode("ascii"), len(data))
    return tag, head + data


def file_meta(uid: str, sop_class: str, transfer_syntax: str) -> bytes:
    """Return preamble and file meta information (PS3.10 7.1)."""
    elements = (
        (0x0002_0001, b"\x02\x00\x01\x00OB\0\0\x02\0\0\0\0\x01"),
        element(0x0002_0002, "UI", sop_class),
        element(0x0002_0003, "UI", uid),
        element(0x0002_0010, "UI", transfer_syntax),
        element(0x0002_0012, "UI", _IMPLEMENTATION),
        element(0x0002_0013, "SH", "OVERREAD"),
    )
    body = b"".join(data for _, data in elements)
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(body))
    return b"\0" * 128 + b"DICM" + length + body
