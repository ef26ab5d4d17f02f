"""Writes forged slices as MR Image Storage files (DICOM PS3.3 A.4), byte for byte repeatable.

UIDs are hashes under 2.25, and no date of today enters.
It knows nothing about what the images show.
"""

from hashlib import sha256
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import MRImageStorage

from overread.phantoms.dicom_pixels import store_pixels
from overread.phantoms.forged_study import ForgedSeries, ForgedSlice, ForgedStudy

_IMPLEMENTATION = "2.25.298736423984012374651203745610293847"


def make_uid(*words: object) -> str:
    """Return a UID under 2.25 that depends on the words alone."""
    digest = sha256("/".join(str(word) for word in words).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def write_series(folder: Path, study: ForgedStudy, series: ForgedSeries) -> None:
    """Write every slice of a series as `{instance}.dcm`."""
    folder.mkdir(parents=True, exist_ok=True)
    number = study.series.index(series) + 1
    header = _series_header(study, series, number)
    for image in series.slices:
        _write_slice(folder / f"{image.instance}.dcm", study, series, image, header)
    if series.stray_file:
        (folder / "notes.dcm").write_text("Exported by hand; no image.\n", encoding="utf-8")


def _series_header(study: ForgedStudy, series: ForgedSeries, number: int) -> Dataset:
    who = (study.seed, study.index, study.mirrored)
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.SOPClassUID = MRImageStorage
    header.StudyDate = header.SeriesDate = header.ContentDate = "20240101"
    header.StudyTime = header.SeriesTime = header.ContentTime = "080000"
    header.AccessionNumber = ""
    header.Modality = "MR"
    header.Manufacturer = study.vendor.manufacturer
    header.ManufacturerModelName = study.vendor.model
    header.ReferringPhysicianName = ""
    header.StudyDescription = "MR LUMBAR SPINE"
    header.SeriesDescription = series.protocol.name
    header.PatientName = ""
    header.PatientID = f"PHANTOM-{study.seed}-{study.index:06d}"
    header.PatientBirthDate = ""
    header.PatientSex = "O"
    header.PatientPosition = "HFS"
    header.BodyPartExamined = "LSPINE"
    header.PatientIdentityRemoved = "YES"
    header.DeidentificationMethod = "Synthetic image; shows no person"
    header.StudyInstanceUID = make_uid("study", *who)
    header.SeriesInstanceUID = make_uid("series", *who, series.series_id)
    header.FrameOfReferenceUID = make_uid("frame", *who)
    header.PositionReferenceIndicator = ""
    header.StudyID = str(study.study_id)
    header.SeriesNumber = number
    _add_acquisition(header, study, series)
    return header


def _add_acquisition(header: Dataset, study: ForgedStudy, series: ForgedSeries) -> None:
    protocol = series.protocol
    header.ScanningSequence = [study.vendor.sequence[0]] + (["IR"] if protocol.inversion_ms else [])
    header.SequenceVariant = study.vendor.sequence[1].split("\\")
    header.ScanOptions = ""
    header.MRAcquisitionType = "2D"
    header.MagneticFieldStrength = study.vendor.tesla
    header.SliceThickness = protocol.thickness
    header.SpacingBetweenSlices = round(protocol.step, 4)
    header.RepetitionTime = protocol.repetition_ms
    header.EchoTime = protocol.echo_ms
    if protocol.inversion_ms:
        header.InversionTime = protocol.inversion_ms
    header.EchoTrainLength = protocol.echo_train
    header.NumberOfAverages = 2
    header.FlipAngle = 150
    header.ImagedNucleus = "1H"
    header.ProtocolName = protocol.name
    header.AcquisitionNumber = 1
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated = 16
    header.BitsStored = study.vendor.bits_stored
    header.HighBit = study.vendor.bits_stored - 1
    header.PixelRepresentation = 0


def _decimal(value: float) -> str:
    """Write a decimal string of at most 16 characters, without a negative zero."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _write_slice(
    path: Path, study: ForgedStudy, series: ForgedSeries, image: ForgedSlice, header: Dataset
) -> None:
    who = (study.seed, study.index, study.mirrored, series.series_id, image.key, image.instance)
    uid = make_uid("image", *who)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = series.transfer_syntax
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = "OVERREAD"
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.update(header)
    plane = image.plane
    kind = ["ORIGINAL", "PRIMARY", "LOCALIZER" if image.localizer else "M", "SE"]
    dataset.ImageType = kind
    dataset.SOPInstanceUID = uid
    named = image.instance if image.header_instance is None else image.header_instance
    dataset.InstanceNumber = named
    dataset.ImagePositionPatient = [_decimal(float(v)) for v in plane.origin]
    dataset.ImageOrientationPatient = [
        _decimal(float(v)) for v in (*plane.along_row, *plane.along_column)
    ]
    dataset.SliceLocation = _decimal(float(plane.origin @ plane.normal))
    dataset.PixelSpacing = [_decimal(v) for v in plane.spacing]
    dataset.Rows, dataset.Columns = image.pixels.shape
    low, high = (float(v) for v in np.percentile(image.pixels[::4, ::4], (1, 99)))
    dataset.WindowCenter = _decimal(round((low + high) / 2))
    dataset.WindowWidth = _decimal(max(2, round(high - low)))
    if study.vendor.rescale:
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "normalized"
    store_pixels(dataset, image.pixels, series.transfer_syntax)
    dataset.save_as(path, enforce_file_format=True)
