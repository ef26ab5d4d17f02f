"""Stacks become pixels: every transfer syntax, sign, depth and colour gives the values meant."""

import warnings
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from written_dicom import save, set_pixels, slice_dataset, write_slices

from overread.imaging.reading import DecodeError, decode, read_studies
from overread.records import Volume

RAMP = (np.arange(32 * 24, dtype=np.uint16).reshape(32, 24) * 5) % 4096


def decoded(path: Path) -> Volume:
    (stack,) = read_studies(path).studies[0].series[0].stacks
    return decode(stack)


def written(path: Path, pixels: NDArray[Any], *, stored: int = 12, **values: Any) -> Volume:
    dataset = slice_dataset(1)
    set_pixels(dataset, pixels, stored=stored)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return decoded(save(dataset, path / "1.dcm"))


def wrap(dataset: FileDataset, syntax: str, *frames: bytes) -> FileDataset:
    """Put compressed frames into a data set."""
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate(list(frames))
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


def rle(pixels: NDArray[np.uint16]) -> bytes:
    """Return one frame in RLE: two segments of literal runs (PS3.5 G)."""
    segments = []
    for plane in ((pixels >> 8), pixels & 255):
        raw = plane.astype(np.uint8).tobytes()
        runs = [raw[i : i + 128] for i in range(0, len(raw), 128)]
        segments.append(b"".join(bytes([len(run) - 1]) + run for run in runs))
    offsets = [2, 64, 64 + len(segments[0]), *[0] * 13]
    return np.array(offsets, "<u4").tobytes() + b"".join(segments)


COMPRESSED = {
    RLELossless: rle,
    JPEGLosslessSV1: lambda pixels: imagecodecs.ljpeg_encode(pixels, bitspersample=12),
    JPEGLSLossless: imagecodecs.jpegls_encode,
    JPEG2000Lossless: lambda pixels: imagecodecs.jpeg2k_encode(
        pixels, level=0, codecformat="j2k", reversible=True, bitspersample=12
    ),
    HTJ2KLossless: lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True),
}


@pytest.mark.parametrize("syntax", list(COMPRESSED))
def test_lossless_syntaxes_keep_every_value(tmp_path: Path, syntax: str) -> None:
    """RLE, JPEG lossless, JPEG-LS, JPEG 2000 and HTJ2K give back what went in."""
    dataset = slice_dataset(1)
    set_pixels(dataset, RAMP, stored=12)
    wrap(dataset, syntax, COMPRESSED[syntax](RAMP))

    volume = decoded(save(dataset, tmp_path / "1.dcm"))

    assert np.array_equal(RAMP, volume.array[0])
    assert (np.int16, "raw") == (volume.array.dtype, volume.kind)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_uncompressed_syntaxes(tmp_path: Path, syntax: str) -> None:
    """Implicit and deflated files give the same values."""
    dataset = slice_dataset(1)
    set_pixels(dataset, RAMP, stored=12)
    dataset.file_meta.TransferSyntaxUID = syntax

    assert np.array_equal(RAMP, decoded(save(dataset, tmp_path / "1.dcm")).array[0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_big_endian(tmp_path: Path, dtype: type) -> None:
    """Words are swapped; bytes in words (OW) change places, with an odd width too."""
    pixels = (np.arange(35).reshape(5, 7) - (0 if dtype is np.uint8 else 20)).astype(dtype)
    dataset = slice_dataset(1)
    set_pixels(dataset, pixels)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    raw = np.frombuffer(dataset.PixelData.ljust(2 * -(-len(dataset.PixelData) // 2), b"\0"), "<u2")
    dataset.PixelData = raw.byteswap().tobytes()
    dataset["PixelData"].VR = "OW"

    assert np.array_equal(pixels, decoded(save(dataset, tmp_path / "1.dcm")).array[0])


def test_twelve_bit_jpeg_is_close(tmp_path: Path) -> None:
    """Lossy 12-bit JPEG comes back within a few grey levels of 4096."""
    dataset = slice_dataset(1)
    smooth = (np.add.outer(np.arange(32), np.arange(24)) * 60).astype(np.uint16)
    set_pixels(dataset, smooth, stored=12)
    wrap(dataset, JPEGExtended12Bit, imagecodecs.jpeg8_encode(smooth, level=98, bitspersample=12))

    volume = decoded(save(dataset, tmp_path / "1.dcm"))

    assert np.abs(volume.array[0] - smooth).max() < 40


def test_signed_values_of_fewer_bits(tmp_path: Path) -> None:
    """The sign is in the highest stored bit, not in the highest bit of the word."""
    meant = np.array([[-2048, -1, 0, 2047]], np.int16)
    word = (meant.view(np.uint16) & 0x0FFF).view(np.int16)

    assert written(tmp_path, word).array[0].tolist() == [[-2048, -1, 0, 2047]]


def test_overlay_bits_are_masked(tmp_path: Path) -> None:
    """Old files hide overlays above the stored bits."""
    pixels = np.array([[5, 4095]], np.uint16) | 0xF000

    assert written(tmp_path, pixels).array[0].tolist() == [[5, 4095]]


def test_hounsfield_units_do_not_wrap(tmp_path: Path) -> None:
    """Unsigned values plus -1024 become negative; CT is told apart as HU."""
    ct = {"Modality": "CT", "RescaleSlope": "1", "RescaleIntercept": "-1024"}

    volume = written(tmp_path, np.array([[0, 1024, 4095]], np.uint16), **ct)

    assert volume.kind == "hu"
    assert volume.array[0].tolist() == [[-1024, 0, 3071]]


def test_fractional_slopes_give_floats(tmp_path: Path) -> None:
    """Values that are not whole are float32."""
    values = {"RescaleSlope": "0.5", "RescaleIntercept": "1.25"}

    volume = written(tmp_path, np.array([[0, 3]], np.uint16), **values)

    assert (np.float32, [[1.25, 2.75]]) == (volume.array.dtype, volume.array[0].tolist())


def test_values_beyond_int16_are_floats(tmp_path: Path) -> None:
    """65535 is kept."""
    volume = written(tmp_path, np.array([[0, 65535]], np.uint16), stored=16)

    assert (np.float32, [[0.0, 65535.0]]) == (volume.array.dtype, volume.array[0].tolist())


def test_wrong_rescales_are_not_applied(tmp_path: Path) -> None:
    """A slope of 0 would erase the image; the values stay, and are not called HU."""
    ct = {"Modality": "CT", "RescaleSlope": "0", "RescaleIntercept": "-1024"}

    volume = written(tmp_path, np.array([[7, 9]], np.uint16), **ct)

    assert (volume.kind, volume.array[0].tolist()) == ("raw", [[7, 9]])


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    """Bright becomes high, within the stored bits, and the finding says repaired."""
    values = {"PhotometricInterpretation": "MONOCHROME1"}

    volume = written(tmp_path, np.array([[0, 4095, 95]], np.uint16), **values)

    assert volume.array[0].tolist() == [[4095, 0, 4000]]
    (finding,) = read_studies(tmp_path).findings
    assert (finding.code, finding.severity) == ("monochrome1", "repaired")


def test_a_modality_table_is_looked_up(tmp_path: Path) -> None:
    """A modality LUT replaces slope and intercept."""
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4, 0, 16], "US"
    table.LUTData = np.array([100, 200, 300, 400], "<u2").tobytes()

    volume = written(tmp_path, np.array([[0, 3, 1]], np.uint16), ModalityLUTSequence=[table])

    assert volume.array[0].tolist() == [[100, 400, 200]]


COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [90, 90, 90]]], np.uint8)


def colour_dataset(pixels: NDArray[np.uint8], photometric: str) -> FileDataset:
    dataset = slice_dataset(1, Modality="SC")
    set_pixels(dataset, pixels[..., 0])
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation = photometric
    dataset.PixelData = pixels.tobytes()
    return dataset


def test_colour_by_pixel_and_by_plane(tmp_path: Path) -> None:
    """RGB is (rows, columns, 3), however it lies in the file."""
    dataset = colour_dataset(COLOURS, "RGB")
    by_pixel = decoded(save(dataset, tmp_path / "a.dcm")).array[0]
    dataset.PlanarConfiguration = 1
    dataset.PixelData = COLOURS.transpose(2, 0, 1).tobytes()
    by_plane = decoded(save(dataset, tmp_path / "b.dcm")).array[0]

    assert COLOURS.tolist() == by_pixel.tolist() == by_plane.tolist()


def test_ybr_becomes_rgb(tmp_path: Path) -> None:
    """YBR_FULL of pure colours comes back within one level."""
    matrix = np.array(
        [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
    )
    ybr = np.clip(np.rint(COLOURS @ matrix.T + [0, 128, 128]), 0, 255).astype(np.uint8)

    volume = decoded(save(colour_dataset(ybr, "YBR_FULL"), tmp_path / "1.dcm"))

    assert np.abs(volume.array[0].astype(int) - COLOURS).max() <= 1


def test_palettes_become_rgb(tmp_path: Path) -> None:
    """Palette indices are looked up in 16-bit tables, 8 bits a colour remain."""
    dataset = slice_dataset(1, PhotometricInterpretation="PALETTE COLOR", Modality="US")
    set_pixels(dataset, np.array([[0, 1], [2, 1]], np.uint8))
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for colour, table in (("Red", [0, 255, 10]), ("Green", [0, 0, 20]), ("Blue", [0, 1, 30])):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [3, 0, 16])
        data = (np.array(table, "<u2") * 257).tobytes()
        setattr(dataset, f"{colour}PaletteColorLookupTableData", data)

    volume = decoded(save(dataset, tmp_path / "1.dcm"))

    assert volume.array[0].reshape(-1, 3).tolist() == [
        [0, 0, 0],
        [255, 0, 1],
        [10, 20, 30],
        [255, 0, 1],
    ]


def test_mixed_sizes_are_padded_at_the_end(tmp_path: Path) -> None:
    """Zeros lie at the bottom and right; the planes know the true sizes."""
    write_slices(tmp_path, [0.0])
    small = slice_dataset(2)
    set_pixels(small, np.full((2, 3), 7, np.uint16))
    save(small, tmp_path / "2.dcm")

    volume = decoded(tmp_path)

    assert volume.array.shape == (2, 6, 8)
    assert volume.planes.size.tolist() == [[6, 8], [2, 3]]
    assert 42 == volume.array[1].sum() == volume.array[1, :2, :3].sum()


def test_frames_of_one_compressed_file(tmp_path: Path) -> None:
    """Each frame of a multi-frame file is found, without an offset table too."""
    dataset = slice_dataset(1, NumberOfFrames=3)
    frames = [RAMP, RAMP[::-1].copy(), RAMP // 2]
    set_pixels(dataset, RAMP, stored=12)
    wrap(dataset, JPEGLSLossless, *[imagecodecs.jpegls_encode(frame) for frame in frames])
    del dataset.ImagePositionPatient

    volume = decoded(save(dataset, tmp_path / "1.dcm"))

    assert np.array_equal(np.stack(frames), volume.array)


def test_a_codestream_of_another_size_is_refused(tmp_path: Path) -> None:
    """A decoder never sees a frame whose own header contradicts the file's."""
    dataset = slice_dataset(1)
    set_pixels(dataset, RAMP, stored=12)
    wrap(dataset, JPEGLSLossless, imagecodecs.jpegls_encode(RAMP[:16]))
    save(dataset, tmp_path / "1.dcm")

    with pytest.raises(DecodeError, match="16 x 24 x 1 values, the header says 32 x 24 x 1"):
        decoded(tmp_path)


def test_a_broken_frame_names_file_and_reason(tmp_path: Path) -> None:
    """What no decoder can read is a DecodeError that says who refused and why."""
    dataset = slice_dataset(1)
    set_pixels(dataset, RAMP, stored=12)
    frame = imagecodecs.jpegls_encode(RAMP)
    wrap(dataset, JPEGLSLossless, frame[:60])
    save(dataset, tmp_path / "1.dcm")

    with pytest.raises(DecodeError, match=r"1\.dcm: gdcm") as caught:
        decoded(tmp_path)

    assert tmp_path / "1.dcm" == caught.value.path


def test_a_file_that_vanished_is_a_decode_error(tmp_path: Path) -> None:
    """Reading and decoding are apart in time; what happens between is told."""
    (path,) = write_slices(tmp_path, [0.0])
    (stack,) = read_studies(tmp_path).studies[0].series[0].stacks
    path.unlink()

    with pytest.raises(DecodeError, match="cannot be opened"):
        decode(stack)


def test_decoding_warns_of_nothing(tmp_path: Path) -> None:
    """Oddities are findings; no library's warnings reach the user."""
    write_slices(tmp_path, [0.0, 4.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        assert decoded(tmp_path).array.shape == (2, 6, 8)


@pytest.mark.parametrize("offset", [0, 8, 4000, 2**31])
def test_rle_offsets_are_checked(tmp_path: Path, offset: int) -> None:
    """Segments that lie outside the frame are refused before a decoder reads there."""
    frame = bytearray(rle(RAMP))
    frame[8:12] = offset.to_bytes(4, "little")
    dataset = slice_dataset(1)
    set_pixels(dataset, RAMP, stored=12)
    save(wrap(dataset, RLELossless, bytes(frame)), tmp_path / "1.dcm")

    with pytest.raises(DecodeError, match="RLE segments do not ascend"):
        decoded(tmp_path)
