"""Pixels come back from every transfer syntax."""

from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
)

from overread.phantoms.dicom_pixels import store_pixels

_SYNTAXES = (ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLosslessSV1)


def _dataset(shape: tuple[int, int], bits: int, syntax: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = "2.25.1"
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, "2.25.1"
    dataset.Rows, dataset.Columns = shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits, bits - 1
    dataset.PixelRepresentation, dataset.SamplesPerPixel = 0, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    return dataset


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("syntax", _SYNTAXES)
def test_pixels_survive_every_syntax(syntax, bits):
    """What pydicom decodes is what was stored, odd sizes included."""
    pixels = np.random.default_rng(0).integers(0, 2**bits, (33, 47)).astype(np.uint16)
    dataset, stream = _dataset(pixels.shape, bits, syntax), BytesIO()
    store_pixels(dataset, pixels, syntax)
    dataset.save_as(stream, enforce_file_format=True)
    stream.seek(0)

    assert np.array_equal(pixels, dcmread(stream).pixel_array)


def test_an_unknown_syntax_is_refused_with_the_right_ones():
    """The error lists what can be written."""
    dataset = _dataset((2, 2), 12, JPEGBaseline8Bit)
    with pytest.raises(ValueError, match="expected Explicit VR Little Endian"):
        store_pixels(dataset, np.zeros((2, 2), np.uint16), JPEGBaseline8Bit)
