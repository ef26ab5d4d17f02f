"""Tables of header tags: which slices make a scan, whose it is, and in which order they lie.

Columns are called as in DICOM. Numbers of several values may be text ("['1.0', '0.0', ...]", or
with backslashes between them), or columns of their own as published copies have them
(ImagePositionPatient, ImagePositionPatient1, ...2). Knows no images.
"""

from pathlib import Path
from typing import Literal

import polars as pl

from overread.datasets.dataset import DatasetError, read_table
from overread.imaging import GEOMETRY, place_slices
from overread.records import Finding

__all__ = ["index_headers", "read_headers"]

POSITION, ORIENTATION = "ImagePositionPatient", "ImageOrientationPatient"
IDS = {
    "SOPInstanceUID": "unit",
    "PatientID": "subject",
    "StudyInstanceUID": "study",
    "SeriesInstanceUID": "series",
}
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


def read_headers(path: Path) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Read a table of header tags and put its slices in order.

    Raises:
        DatasetError: if a column is missing; see `index_headers` for the rest.
    """
    frame = read_table(path, (*IDS, POSITION, ORIENTATION))
    return index_headers(frame, path)


def index_headers(
    frame: pl.DataFrame, path: Path = Path("headers")
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Put the slices of header rows in order; made for a million rows.

    A slice in several rows is taken once; one without a place is left out and told.

    Args:
        frame: text columns as in DICOM; see the module.
        path: for the words of findings.

    Returns:
        Columns unit, subject, study, series, height_mm, place, number, site (see
        `place_slices`), and what was odd.
    """
    numbers = [*_numbers(frame, POSITION, 3), *_numbers(frame, ORIENTATION, 6)]
    geometry = [value.alias(name) for name, value in zip(GEOMETRY, numbers, strict=True)]
    rows = frame.select(*(pl.col(old).alias(new) for old, new in IDS.items()), *geometry)
    unique = rows.unique("unit", keep="first", maintain_order=True)
    findings = []
    if len(unique) < len(rows):
        findings.append(_finding("headers_repeat", len(rows) - len(unique), "repeat", path))
    placed = unique.filter(pl.all_horizontal(pl.col(GEOMETRY).is_finite()))
    if len(placed) < len(unique):
        words = f"have no {POSITION} or {ORIENTATION}"
        findings.append(_finding("headers_unplaced", len(unique) - len(placed), words, path))
    nameless = placed.filter(pl.any_horizontal(pl.col("unit", "study", "series").is_null()))
    if len(nameless):
        raise DatasetError(
            f"{path}: found {len(nameless)} rows without {', '.join(IDS)}; expected all four in "
            "every row; fill them in or delete these rows"
        )
    placed = place_slices(placed.with_columns(pl.col("subject").fill_null(pl.col("study"))))
    again = placed.filter(pl.struct("study", "series", "height_mm").is_duplicated())
    if len(again):
        findings.append(_finding("positions_repeat", len(again), "share a position", path))
    return placed, tuple(findings)


def _numbers(frame: pl.DataFrame, tag: str, count: int) -> list[pl.Expr]:
    """Return the numbers of a tag: from text, or from columns tag, tag1, tag2 ..."""
    columns = [tag, *(f"{tag}{i}" for i in range(1, count))]
    if set(columns) <= set(frame.columns):
        return [pl.col(name).cast(pl.Float64, strict=False) for name in columns]
    parts = pl.col(tag).str.extract_all(NUMBER)
    return [
        parts.list.get(i, null_on_oob=True).cast(pl.Float64, strict=False) for i in range(count)
    ]


def _finding(code: str, count: int, words: str, path: Path) -> Finding:
    severity: Literal["note", "repaired"] = "note" if code == "positions_repeat" else "repaired"
    kept = "they stay, in order of their ids" if severity == "note" else "they are left out"
    return Finding(code, severity, f"{path.name}: {count} slices {words}; {kept}", str(path))
