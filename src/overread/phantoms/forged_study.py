"""What a forged study consists of before it is written: slices, series, labelled points, truth.

Records only; nothing is drawn or written here.
"""

from dataclasses import dataclass
from typing import Any, TypedDict

from overread.phantoms.sampling import F64, SlicePlane
from overread.phantoms.scanner import U16, Protocol, Vendor
from overread.phantoms.severity import Severity


class DirtNote(TypedDict):
    """One thing that was soiled; `series_id` is None when it concerns the study."""

    kind: str
    series_id: int | None
    detail: str


@dataclass(frozen=True)
class ForgedSlice:
    """One image.

    Attributes:
        key: names the slice for good, within its series.
        instance: the file's name, and InstanceNumber unless `header_instance` differs.
        plane: where the pixels are.
        pixels: (rows, columns) stored values.
        localizer: whether it is a stranger in its series.
        header_instance: InstanceNumber where it disagrees with the file's name.
    """

    key: int
    instance: int
    plane: SlicePlane
    pixels: U16
    localizer: bool = False
    header_instance: int | None = None


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
    dirt: tuple[DirtNote, ...] = ()
    mirrored: bool = False
