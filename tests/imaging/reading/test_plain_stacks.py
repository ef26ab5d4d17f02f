"""Plain stacks are read straight into one array, with the very values of the general way."""

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian
from written_dicom import save, set_pixels, slice_dataset, write_slices

from overread.imaging.reading import decode, read_studies
from overread.imaging.reading.plain import plain_pixels
from overread.records import Stack

CT = {"Modality": "CT", "RescaleSlope": "1", "RescaleIntercept": "-1024"}
SOME = np.array([[0, 5, 4095], [1024, 7, 9]], np.uint16)


def stack_of(folder: Path) -> Stack:
    (stack,) = read_studies(folder).studies[0].series[0].stacks
    return stack


def written(folder: Path, *images: NDArray[Any], stored: int = 12, **values: Any) -> Stack:
    for number, pixels in enumerate(images, 1):
        dataset = slice_dataset(number)
        set_pixels(dataset, pixels, stored=stored)
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        save(dataset, folder / f"{number}.dcm")
    return stack_of(folder)


def general(stack: Stack) -> NDArray[Any]:
    """What the general way makes of it."""
    with mock.patch("overread.imaging.reading.decode.plain_pixels", return_value=None):
        return decode(stack).array


@pytest.mark.parametrize("values", [CT, {}, {**CT, "RescaleIntercept": "1000"}], ids=str)
@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_values_are_those_of_the_general_way(tmp_path: Path, dtype: type, values: Any) -> None:
    """Signed or not, moved by the intercept or not: the same numbers in the same type."""
    low = 0 if dtype is np.uint16 else -2048
    images = [(SOME.astype(np.int32) // scale + low).astype(dtype) for scale in (1, 2, 3)]
    stack = written(tmp_path, *images, **values)
    plain = plain_pixels(stack)

    assert plain is not None
    assert np.array_equal(general(stack), plain[0])
    assert (np.int16, values.get("Modality") == "CT") == (plain[0].dtype, plain[1])
    assert np.array_equal(plain[0], decode(stack).array)


def test_large_unsigned_values_fit_after_the_intercept(tmp_path: Path) -> None:
    """33,000 - 1,024 is no 16-bit overflow on the way."""
    stack = written(tmp_path, np.array([[33_000, 1000]], np.uint16), stored=16, **CT)
    plain = plain_pixels(stack)

    assert plain is not None
    assert plain[0].tolist() == [[[31_976, -24]]]


def test_frames_of_one_file(tmp_path: Path) -> None:
    """Frames of a multi-frame file are found at their places."""
    dataset = slice_dataset(1, NumberOfFrames=3)
    frames = np.stack([SOME, SOME // 2, SOME // 3])
    set_pixels(dataset, frames, stored=12)
    del dataset.ImagePositionPatient
    save(dataset, tmp_path / "1.dcm")
    plain = plain_pixels(stack_of(tmp_path))

    assert plain is not None
    assert np.array_equal(frames, plain[0])


@pytest.mark.parametrize(
    "values",
    [
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"RescaleSlope": "0.5", "RescaleIntercept": "0"},
        {"RescaleSlope": "1", "RescaleIntercept": "0.5"},
        {"RescaleSlope": "1", "RescaleIntercept": "40000"},
        {"HighBit": 15},
    ],
    ids=str,
)
def test_other_files_go_the_general_way(tmp_path: Path, values: dict[str, Any]) -> None:
    """Whatever is out of the ordinary is left to the general way."""
    stack = written(tmp_path, SOME, **values)

    assert plain_pixels(stack) is None
    assert np.array_equal(general(stack), decode(stack).array)


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_other_encodings_go_the_general_way(tmp_path: Path, syntax: str) -> None:
    """Deflated and big-endian files are not read in place."""
    dataset = slice_dataset(1)
    set_pixels(dataset, SOME, stored=12)
    dataset.file_meta.TransferSyntaxUID = syntax
    save(dataset, tmp_path / "1.dcm")

    assert plain_pixels(stack_of(tmp_path)) is None


@pytest.mark.parametrize(
    ("pixels", "stored"),
    [
        (np.array([[5, 0xF123]], np.uint16), 12),  # an overlay above the stored bits
        (np.array([[0, 65_535]], np.uint16), 16),  # no int16
        (np.array([[1, 0x0FFF]], np.int16), 12),  # a sign that is not extended
        (np.array([[1, 200]], np.uint8), 8),
    ],
    ids=["overlay", "large", "sign", "bytes"],
)
def test_other_values_go_the_general_way(tmp_path: Path, pixels: NDArray[Any], stored: int) -> None:
    """Bits that do not count, and values that do not fit, need the general way."""
    assert plain_pixels(written(tmp_path, pixels, stored=stored)) is None


def test_mixed_and_missing_files_go_the_general_way(tmp_path: Path) -> None:
    """Slices of two sizes are padded elsewhere; what is missing is told elsewhere."""
    first, _ = write_slices(tmp_path / "a", [0.0, 4.0])
    whole = stack_of(tmp_path / "a")
    mixed = written(tmp_path / "b", SOME, SOME[:1])
    assert plain_pixels(whole) is not None
    first.unlink()

    assert plain_pixels(whole) is None
    assert plain_pixels(mixed) is None


def test_a_file_that_shrank_goes_the_general_way(tmp_path: Path) -> None:
    """Pixels that end early are no pixels."""
    stack = written(tmp_path, SOME)
    path = stack.frames[0].path
    path.write_bytes(path.read_bytes()[:-4])

    assert plain_pixels(stack) is None
