"""Writes small DICOM files for tests of reading: real files, few pixels, every value by choice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

STUDY, SERIES = "1.2.826.0.1.3680043.10.1", "1.2.826.0.1.3680043.10.1.1"
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
T2 = {"SeriesDescription": "SAG T2 TSE", "EchoTime": "105", "RepetitionTime": "3500"}


def slice_dataset(number: int = 1, **values: Any) -> FileDataset:
    """Return one sagittal MR slice of 6 x 8 pixels; `values` replace or (None) remove elements."""
    dataset = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = f"{SERIES}.{number}"
    dataset.Modality = "MR"
    dataset.PatientID, dataset.PatientName = "P0001", "Muster^Martha"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
    dataset.InstanceNumber = number
    dataset.ImagePositionPatient = [float(number) * 4.0, 0.0, 0.0]
    dataset.ImageOrientationPatient = list(SAGITTAL)
    dataset.PixelSpacing = [0.5, 0.25]
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    set_pixels(dataset, np.arange(48, dtype=np.uint16).reshape(6, 8) + 100 * number)
    for keyword, value in {**T2, **values}.items():
        if value is not None:
            setattr(dataset, keyword, value)
        elif keyword in dataset:
            delattr(dataset, keyword)
    return dataset


def set_pixels(dataset: Dataset, pixels: NDArray[Any], *, stored: int | None = None) -> None:
    """Give the data set grey pixels and the elements that describe them."""
    bits = pixels.dtype.itemsize * 8
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.BitsAllocated, dataset.BitsStored = bits, stored or bits
    dataset.HighBit = (stored or bits) - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()


def save(dataset: FileDataset, path: Path) -> Path:
    """Write the data set as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, dataset, enforce_file_format=True)
    return path


def write_slices(folder: Path, positions: Sequence[float], **values: Any) -> list[Path]:
    """Write a series of sagittal slices at these x positions (mm), numbered from 1."""
    return [
        save(
            slice_dataset(n, **{"ImagePositionPatient": [x, 0.0, 0.0], **values}),
            folder / f"{n}.dcm",
        )
        for n, x in enumerate(positions, start=1)
    ]
