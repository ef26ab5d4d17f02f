"""What a header claims of frames and rows is compared with the bytes that are there."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)
from written_dicom import save, set_pixels, slice_dataset, write_slices

from overread.imaging.reading import Reading, read_studies


def compressed(syntax: str, *, frames: int = 1, **values: Any) -> FileDataset:
    """Return a file of fragments of 1000 bytes that nobody decodes here."""
    dataset = slice_dataset(1)
    set_pixels(dataset, np.zeros((32, 24), np.uint8))
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([b"\1" * 1000] * frames)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def refusals(reading: Reading) -> list[tuple[str, str | None]]:
    return [(one.code, one.file) for one in reading.findings if one.severity == "refuse"]


@pytest.mark.parametrize("frames", ["2", "100000", "1000000"])
@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_more_frames_than_fragments_are_refused(tmp_path: Path, syntax: str, frames: str) -> None:
    """Each compressed frame takes a fragment; what claims more makes no planes."""
    save(compressed(syntax, NumberOfFrames=frames), tmp_path / "1.dcm")

    reading = read_studies(tmp_path)

    assert reading.studies == ()
    assert refusals(reading) == [("pixels_truncated", "1.dcm")]
    assert f"1 fragments of compressed pixels; NumberOfFrames {frames}" in str(reading.findings)


def test_as_many_frames_as_fragments_are_read(tmp_path: Path) -> None:
    """A count that the fragments bear out is believed."""
    save(compressed(RLELossless, frames=3, NumberOfFrames="3", Modality="OT"), tmp_path / "1.dcm")

    reading = read_studies(tmp_path)

    assert refusals(reading) == []
    assert len(reading.studies[0].series[0].frames) == 3


def test_more_frames_than_raw_bytes_are_refused(tmp_path: Path) -> None:
    """Frames that are not compressed have a known size."""
    write_slices(tmp_path, [0.0], NumberOfFrames="1000000")

    assert refusals(read_studies(tmp_path)) == [("pixels_truncated", "1.dcm")]


@pytest.mark.parametrize("syntax", [RLELossless, JPEGBaseline8Bit, JPEGLosslessSV1])
def test_more_rows_than_compressed_bytes_are_refused(tmp_path: Path, syntax: str) -> None:
    """Every compression has a limit to what a byte can stand for."""
    save(compressed(syntax, Rows=65535, Columns=512), tmp_path / "1.dcm")

    reading = read_studies(tmp_path)

    assert refusals(reading) == [("pixels_truncated", "1.dcm")]
    assert "cannot hold 1 x 65535 x 512 pixels" in reading.findings[0].message


def test_more_rows_than_deflated_bytes_are_refused(tmp_path: Path) -> None:
    """A deflated file cannot hold more than its size allows, whatever its pixels claim."""
    dataset = slice_dataset(1, Rows=65535)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    save(dataset, tmp_path / "1.dcm")

    assert refusals(read_studies(tmp_path)) == [("pixels_truncated", "1.dcm")]


@pytest.mark.parametrize("written", [b"-1", b"0 ", b"ab", b"nan "])
def test_counts_that_are_none_are_read_as_one(tmp_path: Path, written: bytes) -> None:
    """A NumberOfFrames that is no count becomes 1, and is told once a series."""
    for path in write_slices(tmp_path, [0.0, 4.0], NumberOfFrames="7777"[: len(written)]):
        raw = path.read_bytes()
        place = raw.index(b"\x28\x00\x08\x00IS") + 8
        path.write_bytes(raw[:place] + written + raw[place + len(written) :])

    reading = read_studies(tmp_path)

    assert [(one.code, one.severity) for one in reading.findings] == [
        ("frames_repaired", "repaired")
    ]
    assert f"{written.decode().strip()!r}, read as 1 (2 of 2 images)" in str(
        reading.findings[0].message
    )
    assert len(reading.studies[0].series[0].frames) == 2


def test_an_empty_file_is_explained_once(tmp_path: Path) -> None:
    """The remedy stands behind what was wrong, not in it too."""
    (tmp_path / "1.dcm").touch()

    (finding,) = read_studies(tmp_path).findings

    assert finding.message == "1.dcm: holds no bytes. Copy it again from its source."
