"""Headers are walked without a dictionary: every encoding, and any bytes."""

import random
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian
from written_dicom import SERIES, save, slice_dataset

from overread.imaging.reading import DecodeError, decode, read_studies, tags
from overread.imaging.reading.header import UnreadableError, read_header


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, "1.2.840.10008.1.2.1"])
def test_sequences_and_private_elements_are_skipped(
    tmp_path: Path, syntax: str, undefined: bool
) -> None:
    """Nested sequences of either kind of length do not hide what follows them."""
    inner = Dataset()
    inner.SeriesInstanceUID = "9.9.9"
    outer = Dataset()
    outer.ReferencedSeriesSequence = [inner]
    dataset = slice_dataset(1, ReferencedStudySequence=[outer, Dataset()])
    for item in (dataset, outer):
        for element in item:
            if element.VR == "SQ":
                element.is_undefined_length = undefined
    block = dataset.private_block(0x0019, "TEST", create=True)
    block.add_new(0x01, "UN", b"\0" * 70_000)
    dataset.file_meta.TransferSyntaxUID = syntax

    header = read_header(save(dataset, tmp_path / "1.dcm"))

    assert header.uid(tags.SERIES_UID) == SERIES
    assert header.short(tags.ROWS) == 6
    assert header.numbers(tags.PIXEL_SPACING) == (0.5, 0.25)
    assert header.elements.pixel_length == 96


def test_big_endian_numbers(tmp_path: Path) -> None:
    """Binary values follow the byte order."""
    dataset = slice_dataset(1)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian

    assert read_header(save(dataset, tmp_path / "1.dcm")).short(tags.COLUMNS) == 8


@pytest.mark.parametrize("implicit", [False, True])
def test_files_without_preamble(tmp_path: Path, implicit: bool) -> None:
    """A bare data set is read when its first element looks like one."""
    path = tmp_path / "bare"
    dataset = slice_dataset(1)
    whole = save(dataset, tmp_path / "whole.dcm").read_bytes()
    if implicit:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        whole = save(dataset, tmp_path / "whole.dcm").read_bytes()
    (length,) = struct.unpack_from("<L", whole, 140)
    path.write_bytes(whole[144 + length :])

    assert read_header(path).uid(tags.SERIES_UID) == SERIES


def test_text_in_any_characters(tmp_path: Path) -> None:
    """Text is UTF-8 where it can be, Latin-1 otherwise; padding is dropped."""
    for number, charset in enumerate(["ISO_IR 192", "ISO_IR 100"]):
        values = {"SpecificCharacterSet": charset, "SeriesDescription": "Wirbelsäule T2"}
        path = save(slice_dataset(1, **values), tmp_path / f"{number}.dcm")

        assert read_header(path).text(tags.SERIES_DESCRIPTION) == "Wirbelsäule T2"


@pytest.mark.parametrize("text", ["", "abc", "1\\x", "nan", "1e999"])
def test_bad_numbers_are_missing(tmp_path: Path, text: str) -> None:
    """What is no finite number counts as missing."""
    path = save(slice_dataset(1), tmp_path / "1.dcm")
    raw = path.read_bytes().replace(b"0.5\\0.25", text.encode().ljust(8))
    path.write_bytes(raw)

    assert read_header(path).numbers(tags.PIXEL_SPACING) == ()


def test_a_deflated_bomb_does_not_unfold(tmp_path: Path) -> None:
    """Inflating stops long before the memory does."""
    dataset = slice_dataset(1)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    whole = save(dataset, tmp_path / "1.dcm").read_bytes()
    (length,) = struct.unpack_from("<L", whole, 140)
    deflater = zlib.compressobj(9, wbits=-15)
    bomb = deflater.compress(b"\x08\x00\x05\x00CS\x00\x00" * 1_000_000) + deflater.flush()
    path = tmp_path / "bomb.dcm"
    path.write_bytes(whole[: 144 + length] + bomb)

    with pytest.raises(UnreadableError, match="no pixels within"):
        read_header(path)


def test_mutated_bytes_never_raise(tmp_path: Path) -> None:
    """Whatever a few changed, lost or added bytes do, the result is images or findings."""
    rng = random.Random(7)
    dataset = slice_dataset(1)
    whole = save(dataset, tmp_path / "seed.dcm").read_bytes()
    (tmp_path / "seed.dcm").unlink()
    for _ in range(250):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            place = rng.randrange(len(data))
            kind = rng.random()
            if kind < 0.6:
                data[place] = rng.randrange(256)
            elif kind < 0.8:
                del data[place : place + rng.randint(1, 6)]
            else:
                data[place:place] = rng.randbytes(rng.randint(1, 6))
        (tmp_path / "1.dcm").write_bytes(data)

        reading = read_studies(tmp_path, workers=1)

        assert reading.findings or reading.studies
        for study in reading.studies:
            for stack in (stack for series in study.series for stack in series.stacks):
                with suppress(DecodeError):
                    decode(stack)
