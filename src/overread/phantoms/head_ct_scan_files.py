"""Lays head CTs out as the RSNA 2019 challenge did: one folder of slices, one table of labels.

Headers hold the 22 elements that the archive kept, with its ids (which are no valid UIDs), no
instance numbers and no series description. Bytes depend on seed and place alone.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from overread.phantoms.dicom_elements import decimals, element, file_meta, make_uid
from overread.phantoms.head_ct_bleeds import KINDS
from overread.phantoms.head_ct_scan import INTERCEPT, Scan

__all__ = [
    "IMAGES",
    "TABLE",
    "ForgedScan",
    "ForgedSlice",
    "label_rows",
    "name",
    "write_scan",
    "write_tables",
]

IMAGES, TABLE, TRUTH = "stage_2_train", "stage_2_train.csv", "phantom_truth.json"
TARGETS = (*KINDS, "any")


@dataclass(frozen=True, eq=False)
class ForgedSlice:
    """One image.

    Attributes:
        unit: SOPInstanceUID.
        index: place in the scan, from the feet.
        pixels: (rows, columns) stored values.
        present: {kind: whether it bleeds here}.
        areas: {kind: mm2 of blood}.
        rows: how its labels are written: "once", "twice", "never" or "torn" (any in two rows that
            contradict each other).
        whole: share of the file that is written.
    """

    unit: str
    index: int
    pixels: NDArray[np.int16]
    present: dict[str, bool]
    areas: dict[str, float]
    rows: str = "once"
    whole: float = 1.0


@dataclass(frozen=True, eq=False)
class ForgedScan:
    """One scan: images, labels, and everything known about it."""

    seed: int
    index: int
    subject: str
    scan: Scan
    slices: tuple[ForgedSlice, ...]
    truth: dict[str, Any]
    dirt: tuple[dict[str, Any], ...] = field(default=())

    def with_slices(
        self, slices: Sequence[ForgedSlice], kind: str, units: Sequence[str]
    ) -> "ForgedScan":
        """Return the scan with other slices, and a note of what was done to which."""
        note = {"kind": kind, "units": list(units)}
        return replace(self, slices=tuple(slices), dirt=(*self.dirt, note))

    @property
    def study(self) -> str:
        """StudyInstanceUID."""
        return name(10, "study", self.seed, self.index)


def name(digits: int, *words: object) -> str:
    """Return an id as the archive has them: "ID_" and hexadecimal digits that the words decide."""
    digest = sha256("/".join(str(word) for word in words).encode()).hexdigest()
    return f"ID_{digest[:digits]}"


def write_scan(folder: Path, scan: ForgedScan) -> dict[str, Any]:
    """Write the slices of a scan, and return what `phantom_truth.json` says of it."""
    place = folder / IMAGES
    place.mkdir(parents=True, exist_ok=True)
    shared = _shared(scan)
    for image in scan.slices:
        data = _file(scan, image, shared)
        (place / f"{image.unit}.dcm").write_bytes(data[: int(len(data) * image.whole)])
    return {
        "study": scan.study,
        "subject": scan.subject,
        "index": scan.index,
        **scan.truth,
        "slices": [
            {
                "unit": image.unit,
                "place": image.index + 1,
                "area_mm2": {kind: round(area, 1) for kind, area in image.areas.items() if area},
            }
            for image in scan.slices
        ],
        "dirt": list(scan.dirt),
    }


def label_rows(scan: ForgedScan) -> list[tuple[str, int]]:
    """Return the rows (ID, Label) of a scan, six a slice, slices in order of their names."""
    rows: list[tuple[str, int]] = []
    for image in sorted(scan.slices, key=lambda image: image.unit):
        present = image.present | {"any": any(image.present.values())}
        own = [(f"{image.unit}_{target}", int(present.get(target, False))) for target in TARGETS]
        rows += {"once": own, "twice": own * 2, "never": []}.get(image.rows, own)
        if image.rows == "torn":
            rows.append((own[-1][0], 1 - own[-1][1]))
    return rows


def write_tables(
    folder: Path, rows: Sequence[tuple[str, int]], truth: Sequence[dict[str, Any]]
) -> None:
    """Write the truth, then the labels: they come last, as a seal."""
    text = json.dumps({"studies": list(truth)}, indent=1)
    (folder / TRUTH).write_text(text + "\n", encoding="utf-8")
    frame = pl.DataFrame(rows, schema={"ID": pl.String, "Label": pl.Int64}, orient="row")
    frame.write_csv(folder / TABLE)


def _shared(scan: ForgedScan) -> list[tuple[int, bytes]]:
    """Return the elements that all slices of a scan have in common."""
    plan, bits = scan.scan, 16 if scan.scan.signed else 12
    return [
        element(0x0008_0060, "CS", "CT"),
        element(0x0010_0020, "LO", scan.subject),
        element(0x0020_000D, "UI", scan.study),
        element(0x0020_000E, "UI", name(10, "series", scan.seed, scan.index)),
        element(0x0020_0010, "SH", ""),
        element(0x0020_0037, "DS", decimals(plan.directions.ravel())),
        element(0x0028_0002, "US", 1),
        element(0x0028_0004, "CS", "MONOCHROME2"),
        element(0x0028_0100, "US", 16),
        element(0x0028_0101, "US", bits),
        element(0x0028_0102, "US", bits - 1),
        element(0x0028_0103, "US", int(plan.signed)),
        element(0x0028_1050, "DS", plan.window[0]),
        element(0x0028_1051, "DS", plan.window[1]),
        element(0x0028_1052, "DS", f"{INTERCEPT}.0" if plan.signed else str(INTERCEPT)),
        element(0x0028_1053, "DS", "1.0" if plan.signed else "1"),
    ]


def _file(scan: ForgedScan, image: ForgedSlice, shared: list[tuple[int, bytes]]) -> bytes:
    rows, columns = image.pixels.shape
    spacing = scan.scan.field_mm / rows
    pixels = image.pixels.astype("<i2").tobytes()
    head = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, len(pixels))
    elements = [
        *shared,
        element(0x0008_0018, "UI", image.unit),
        element(0x0020_0032, "DS", decimals(_corner(scan.scan, image))),
        element(0x0028_0010, "US", rows),
        element(0x0028_0011, "US", columns),
        element(0x0028_0030, "DS", decimals((spacing, spacing))),
    ]
    # The standard wants ascending tags.
    body = b"".join(data for _, data in sorted(elements, key=itemgetter(0)))
    uid = make_uid("image", scan.seed, scan.index, image.index)
    return file_meta(uid, CTImageStorage, ExplicitVRLittleEndian) + body + head + pixels


def _corner(scan: Scan, image: ForgedSlice) -> NDArray[np.float64]:
    """Return the centre of the first pixel, also where the matrix was halved."""
    factor = scan.pixels / image.pixels.shape[0]
    row, column = scan.directions
    half = (row + column) * scan.spacing * (factor - 1) / 2
    return np.asarray(scan.origin(image.index) + half)
