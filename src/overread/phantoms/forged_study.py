"""What a forged study consists of before it is written: slices, series, labelled points, truth.

Records only; nothing is drawn or written here.
"""

from dataclasses import dataclass, field
from typing import Any

from overread.phantoms.sampling import F64, SlicePlane
from overread.phantoms.scanner import U16, Protocol, Vendor
from overread.phantoms.severity import Severity


@dataclass(frozen=True)
class ForgedSlice:
    """One image; `key` names it for good, `instance` is what header and file name say."""

    key: int
    instance: int
    plane: SlicePlane
    pixels: U16
    localizer: bool = False


@dataclass(frozen=True)
class ForgedSeries:
    """One series; `transfer_syntax` is the UID its pixels are stored with."""

    series_id: int
    protocol: Protocol
    slices: tuple[ForgedSlice, ...]
    transfer_syntax: str = "1.2.840.10008.1.2.1"
    stray_file: bool = False


@dataclass(frozen=True)
class LabelledPoint:
    """A point that a reader marked on one slice; level and condition are indices."""

    condition: int
    level: int
    series_id: int
    slice_key: int
    world: F64


@dataclass(frozen=True)
class ForgedStudy:
    """One study, complete: images, grades, marked points and everything known about it."""

    study_id: int
    index: int
    seed: int
    vendor: Vendor
    severity: Severity
    series: tuple[ForgedSeries, ...]
    points: tuple[LabelledPoint, ...]
    truth: dict[str, Any]
    dirt: tuple[str, ...] = field(default=())
    mirrored: bool = False
