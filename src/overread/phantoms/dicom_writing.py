"""Writes forged slices as MR Image Storage files (DICOM PS3.3 A.4), byte for byte repeatable.

UIDs are hashes under 2.25, and no date of today enters.
It knows nothing about what the images show.
"""

from operator import itemgetter
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.uid import MRImageStorage

from overread.phantoms.dicom_elements import decimal, decimals, element, file_meta, make_uid
from overread.phantoms.dicom_pixels import store_pixels
from overread.phantoms.forged_study import ForgedSeries, ForgedSlice, ForgedStudy


def write_series(folder: Path, study: ForgedStudy, series: ForgedSeries) -> None:
    """Write every slice of a series as `{instance}.dcm`."""
    folder.mkdir(parents=True, exist_ok=True)
    number = study.series.index(series) + 1
    header = _encoded(_series_header(study, series, number))
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


def _encoded(header: Dataset) -> list[tuple[int, bytes]]:
    """Return (tag, bytes) of each element: what all slices of a series share is encoded once."""
    found = []
    for one in header:
        stream = DicomBytesIO()
        stream.is_little_endian, stream.is_implicit_VR = True, False
        write_data_element(stream, one)
        found.append((int(one.tag), stream.getvalue()))
    return found


def _plane_elements(image: ForgedSlice) -> list[tuple[int, bytes]]:
    plane = image.plane
    orientation = (*plane.along_row, *plane.along_column)
    rows, columns = image.pixels.shape
    return [
        element(0x0020_0032, "DS", decimals(plane.origin)),
        element(0x0020_0037, "DS", decimals(orientation)),
        element(0x0020_1041, "DS", decimal(float(plane.origin @ plane.normal))),
        element(0x0028_0010, "US", rows),
        element(0x0028_0011, "US", columns),
        element(0x0028_0030, "DS", decimals(plane.spacing)),
    ]


def _look_elements(image: ForgedSlice, *, rescale: bool) -> list[tuple[int, bytes]]:
    """Return the display window, and the rescaling where the vendor writes one."""
    ranked = np.sort(image.pixels[::4, ::4], axis=None)
    low, high = (int(ranked[round(share * (len(ranked) - 1))]) for share in (0.01, 0.99))
    window = [
        element(0x0028_1050, "DS", decimal(round((low + high) / 2))),
        element(0x0028_1051, "DS", decimal(max(2, high - low))),
    ]
    if not rescale:
        return window
    return [
        *window,
        element(0x0028_1052, "DS", "0"),
        element(0x0028_1053, "DS", "1"),
        element(0x0028_1054, "LO", "normalized"),
    ]


def _write_slice(
    path: Path,
    study: ForgedStudy,
    series: ForgedSeries,
    image: ForgedSlice,
    header: list[tuple[int, bytes]],
) -> None:
    who = (study.seed, study.index, study.mirrored, series.series_id, image.key, image.instance)
    uid = make_uid("image", *who)
    named = image.instance if image.header_instance is None else image.header_instance
    kind = "LOCALIZER" if image.localizer else "M"
    pixels = Dataset()
    store_pixels(pixels, image.pixels, series.transfer_syntax)
    elements = [
        *header,
        element(0x0008_0008, "CS", f"ORIGINAL\\PRIMARY\\{kind}\\SE"),
        element(0x0008_0018, "UI", uid),
        element(0x0020_0013, "IS", str(named)),
        *_plane_elements(image),
        *_look_elements(image, rescale=study.vendor.rescale),
        *_encoded(pixels),
    ]
    # The standard wants ascending tags.
    body = b"".join(data for _, data in sorted(elements, key=itemgetter(0)))
    path.write_bytes(file_meta(uid, MRImageStorage, series.transfer_syntax) + body)
