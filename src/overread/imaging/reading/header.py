"""The header of one DICOM file: opened, walked and typed; pixels stay on disk.

It knows files and attributes, not series: what belongs together is decided elsewhere.
"""

import math
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from overread.imaging.reading import tags
from overread.imaging.reading.elements import (
    DEFLATED,
    Elements,
    ElementsError,
    MoreNeededError,
    walk,
)

__all__ = ["Header", "UnreadableError", "header_of", "opened", "read_header"]

FIRST_READ = 16 * 1024
MOST_REMEMBERED = 4096
ITEM_MARK, SEQUENCE_END_MARK = 0xE000FFFE, 0xE0DDFFFE  # tags read as one little-endian number
LONGEST_HEADER = 256 * 1024 * 1024


class UnreadableError(ValueError):
    """A file that gives no header.

    Attributes:
        code: of the finding that it becomes.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a file says.

    Attributes:
        path: the file.
        size: bytes on disk.
        elements: raw values.
        complete: whether encapsulated pixels reach their end mark; True for other files.
        fragments: of encapsulated pixels, without their offset table; None for other files.
    """

    path: Path
    size: int
    elements: Elements
    complete: bool = True
    fragments: int | None = None

    def text(self, tag: int) -> str:
        """Return a value as text without padding; "" when it is missing."""
        raw = self.elements.values.get(tag)
        return _text(raw) if raw else ""

    def uid(self, tag: int) -> str:
        """Return a UID, the first where there are several."""
        raw = self.elements.values.get(tag)
        return _uid(raw) if raw else ""

    def numbers(self, tag: int) -> tuple[float, ...]:
        """Return the numbers of a decimal or integer string; () when one of them is none."""
        raw = self.elements.values.get(tag)
        return _numbers(raw) if raw else ()

    def number(self, tag: int) -> float | None:
        """Return the first number of a decimal or integer string."""
        raw = self.elements.values.get(tag)
        return _number(raw) if raw else None

    def short(self, tag: int) -> int | None:
        """Return a binary unsigned 16 bit value."""
        raw = self.elements.values.get(tag)
        if raw is None or len(raw) < 2:
            return None
        value: int = struct.unpack_from("<H" if self.elements.little else ">H", raw)[0]
        return value

    def double(self, tag: int) -> float | None:
        """Return a binary 64 bit value."""
        raw = self.elements.values.get(tag)
        if raw is None or len(raw) != 8:
            return None
        value: float = struct.unpack("<d" if self.elements.little else ">d", raw)[0]
        return value if math.isfinite(value) else None

    def has(self, tag: int) -> bool:
        """Tell whether the attribute is present, even when it is empty."""
        return tag in self.elements.values

    @property
    def num_frames(self) -> int:
        """Number of frames; 1 where the header does not say, or says what is no count."""
        return max(1, int(self.number(tags.NUMBER_OF_FRAMES) or 1))

    @property
    def frames_doubt(self) -> str | None:
        """What is wrong with NumberOfFrames where it is written but is no count."""
        written = self.text(tags.NUMBER_OF_FRAMES)
        number = self.number(tags.NUMBER_OF_FRAMES)
        if not written or (number is not None and number >= 1 and number == int(number)):
            return None
        return f"NumberOfFrames is {written[:16]!a}, read as {self.num_frames}"


# The files of a series repeat most of their values, so each is parsed once.
@lru_cache(maxsize=MOST_REMEMBERED)
def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8").strip(" \0\r\n\t")
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip(" \0\r\n\t")


@lru_cache(maxsize=MOST_REMEMBERED)
def _uid(raw: bytes) -> str:
    return _text(raw).split("\\", 1)[0].strip()


@lru_cache(maxsize=MOST_REMEMBERED)
def _numbers(raw: bytes) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in _text(raw).split("\\"))
    except ValueError:
        return ()
    return values if all(math.isfinite(value) for value in values) else ()


@lru_cache(maxsize=MOST_REMEMBERED)
def _number(raw: bytes) -> float | None:
    try:
        value = float(_text(raw).split("\\", 1)[0])
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def read_header(path: Path) -> Header:
    """Return the header of a DICOM file.

    Reads the first 16 KiB, and more only while the header goes on.

    Raises:
        UnreadableError: with the code of its finding: "empty_file", "unreadable_file", "not_dicom",
            "truncated_header" or "corrupt_header".
    """
    with opened(path) as descriptor:
        return header_of(path, descriptor)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a file for reading; pipes do not keep us waiting.

    Raises:
        UnreadableError: "unreadable_file".
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise UnreadableError("unreadable_file", f"cannot be opened ({error.strerror})") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def header_of(path: Path, descriptor: int) -> Header:
    """Return the header of an open file; see `read_header`."""
    try:
        size = os.fstat(descriptor).st_size
        elements = _read_elements(descriptor, size)
        return Header(path, size, elements, *_followed(descriptor, elements, size))
    except OSError as error:
        raise UnreadableError("unreadable_file", f"cannot be read ({error.strerror})") from error


def _read_elements(descriptor: int, size: int) -> Elements:
    length = FIRST_READ
    buffer = os.read(descriptor, length)
    if not buffer:
        raise UnreadableError("empty_file", "holds no bytes")
    while True:
        try:
            return walk(buffer, whole=len(buffer) >= size)
        except MoreNeededError:
            if len(buffer) >= size or length > LONGEST_HEADER:
                raise UnreadableError(
                    "corrupt_header", f"no pixels within the first {len(buffer)} bytes"
                ) from None
            length *= 8
            buffer = os.pread(descriptor, min(length, size), 0)
        except (ElementsError, struct.error, RecursionError) as error:
            raise UnreadableError(_code(buffer, str(error)), str(error)) from error


def _followed(descriptor: int, elements: Elements, size: int) -> tuple[bool, int | None]:
    """Follow the fragments of encapsulated pixels from length to length (DICOM PS3.5 A.4).

    Returns:
        Whether the end is reached; the number of fragments behind the offset table.
    """
    encapsulated = elements.pixel_tag is not None and elements.pixel_length is None
    if not encapsulated or elements.syntax == DEFLATED:
        return True, None
    at, fragments = elements.pixel_offset, -1
    while at + 8 <= size:
        mark, length = struct.unpack("<LL", os.pread(descriptor, 8, at))
        if mark == SEQUENCE_END_MARK:
            return True, max(fragments, 0)
        if mark != ITEM_MARK:
            return False, max(fragments, 0)
        at += 8 + int(length)
        fragments += 1
    # Some writers leave the end mark out: then the last fragment ends where the file ends.
    return at == size, max(fragments, 0)


def _code(buffer: bytes, message: str) -> str:
    if buffer[128:132] != b"DICM" and not buffer.startswith(b"\x02\x00"):
        return "not_dicom"
    return "truncated_header" if "truncated" in message else "corrupt_header"
