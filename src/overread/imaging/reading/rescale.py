"""The modality rescale: stored values to output units, and whether it can be trusted."""

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from overread.imaging.reading import tags
from overread.imaging.reading.elements import Elements
from overread.imaging.reading.header import Header

__all__ = ["Rescale", "checked_rescale", "rescale_of"]

WRITTEN = (tags.MODALITY, tags.RESCALE_SLOPE, tags.RESCALE_INTERCEPT, tags.RESCALE_TYPE)


@dataclass(frozen=True, slots=True)
class Rescale:
    """Output = stored * slope + intercept (DICOM PS3.3 C.11.1.1.2).

    Attributes:
        slope: never 0.
        intercept: in output units.
        hounsfield: whether the output is in HU.
        doubt: (finding code, words) when the header was not taken at its word.
    """

    slope: float = 1.0
    intercept: float = 0.0
    hounsfield: bool = False
    doubt: tuple[str, str] | None = None


def rescale_of(header: Header) -> Rescale:
    """Return the rescale of a file; stored values stay when the header's cannot be right."""
    if header.has(tags.MODALITY_LUT):
        return Rescale(hounsfield=False)
    written = tuple(map(header.elements.values.get, WRITTEN))
    return _rescale(written, header.has(tags.SHARED_GROUPS))


@lru_cache(maxsize=1024)
def _rescale(written: tuple[bytes | None, ...], grouped: bool) -> Rescale:
    """Return what the raw values of WRITTEN say; the files of a series share one."""
    values = {tag: raw for tag, raw in zip(WRITTEN, written, strict=True) if raw is not None}
    header = Header(Path(), 0, Elements(values, "", explicit=True, little=True))
    is_ct = header.text(tags.MODALITY).upper() == "CT"
    slope, intercept = header.text(tags.RESCALE_SLOPE), header.text(tags.RESCALE_INTERCEPT)
    if slope or intercept:
        return checked_rescale(slope, intercept, is_ct=is_ct, kind=header.text(tags.RESCALE_TYPE))
    if is_ct and not grouped:
        words = "a CT image without RescaleSlope and RescaleIntercept"
        return Rescale(doubt=("rescale_missing", words))
    return Rescale()


def checked_rescale(slope: str, intercept: str, *, is_ct: bool, kind: str) -> Rescale:
    """Return the rescale that is written, or none with a doubt when it cannot be right.

    Args:
        slope: as written; "" when missing.
        intercept: as written; "" when missing.
        is_ct: whether HU are expected.
        kind: RescaleType.
    """
    written = slope, intercept
    try:
        times = float(slope.split("\\", maxsplit=1)[0]) if slope else 1.0
        plus = float(intercept.split("\\", maxsplit=1)[0]) if intercept else 0.0
    except ValueError:
        return _wrong(written, "numbers")
    if not (math.isfinite(times) and math.isfinite(plus)) or times == 0:
        return _wrong(written, "a slope other than 0")
    if is_ct and not (0.01 <= times <= 100 and abs(plus) <= 70000):
        return _wrong(written, "a CT slope near 1 and an intercept near -1024")
    if not 1e-12 <= abs(times) <= 1e9 or abs(plus) > 1e12:
        return _wrong(written, "a slope of a sensible size")
    return Rescale(times, plus, is_ct and kind.upper() in {"", "HU", "US"})


def _wrong(written: tuple[str, str], expected: str) -> Rescale:
    words = f"RescaleSlope {written[0] or 'empty'}, RescaleIntercept {written[1] or 'empty'}"
    return Rescale(doubt=("rescale_wrong", f"{words}; expected {expected}"))
