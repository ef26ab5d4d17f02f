"""Real and odd files: the head CT, the conformance set, and pydicom's own test files."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.data import get_testdata_file

from overread.imaging.reading import DecodeError, decode, read_studies
from overread.imaging.reading.colour import to_rgb
from overread.imaging.reading.header import read_header
from overread.imaging.reading.layout import layout_of
from overread.imaging.reading.stored import stored_frames

ODD_FILES = Path(str(get_testdata_file("CT_small.dcm"))).parent
# Read here although pydicom's pixel_array refuses; and refused by both.
ONLY_OURS = {"JPEG-lossy.dcm", "JPGExtended.dcm", "badVR.dcm"}
BROKEN_STREAM = {"JPEG2000-embedded-sequence-delimiter.dcm"}


def reference(path: Path) -> NDArray[Any] | None:
    """Return what pydicom makes of a file, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pydicom.dcmread(path, force=True).pixel_array
        except Exception:  # noqa: BLE001 - whatever pydicom stumbles over
            return None


def ours(path: Path) -> NDArray[Any]:
    header = read_header(path)
    layout = layout_of(header)
    frames = stored_frames(header, layout, range(layout.frames))
    images = np.stack([to_rgb(f, layout) if layout.samples == 3 else f for f in frames])
    return images[0] if layout.frames == 1 else images


@pytest.mark.parametrize(
    "path",
    sorted(path for path in ODD_FILES.rglob("*") if path.is_file()),
    ids=lambda path: str(path.relative_to(ODD_FILES)),
)
def test_every_odd_file_is_read_or_a_finding(path: Path) -> None:
    """Each of pydicom's test files agrees with pixel_array, or is a finding; none is an error."""
    reading = read_studies(path)
    pixels = reference(path)
    stacks = [stack for study in reading.studies for one in study.series for stack in one.stacks]
    if path.name in BROKEN_STREAM:
        with pytest.raises(DecodeError, match="codestream"):
            decode(stacks[0])
    elif stacks:
        assert all(len(decode(stack)) == len(stack.frames) for stack in stacks)
        assert (pixels is None) == (path.name in ONLY_OURS)
        assert pixels is None or np.array_equal(pixels, ours(path))
    else:
        assert pixels is None
        assert reading.findings


def test_a_dicom_directory_tree(tmp_path: Path) -> None:
    """A tree with DICOMDIRs and extensionless files yields its studies."""
    del tmp_path
    reading = read_studies(ODD_FILES / "dicomdirtests")

    assert len(reading.studies) >= 3
    assert "no_pixels" in {finding.code for finding in reading.findings}


def test_nine_syntaxes_of_one_image_agree(real_data: Path) -> None:
    """Raw, RLE, JPEG lossless, JPEG-LS and JPEG 2000 versions decode to the same pixels."""
    images = []
    for path in sorted((real_data / "dicom_conformance" / "dcm_qa_ts").glob("*.dcm")):
        (stack,) = read_studies(path).studies[0].series[0].stacks
        images.append(decode(stack).array)

    assert len(images) == 9
    assert all(np.array_equal(images[0], image) for image in images)


def test_the_head_ct(real_data: Path) -> None:
    """One series of 32 slices under a gantry tilted by 11 degrees, in HU, with invalid UIDs."""
    reading = read_studies(real_data / "head_ct" / "rsna2019_dicom_series")
    (study,) = reading.to_json()["studies"]
    (series,) = study["series"]
    (stack,) = series["stacks"]
    volume = decode(reading.studies[0].series[0].stacks[0])

    assert series["role"] == "ct"
    assert (stack["num_slices"], round(stack["tilt_deg"], 2)) == (32, 11.0)
    assert round(stack["spacing_mm"], 3) == 5.006
    assert [finding.code for finding in reading.findings] == ["uid_invalid"]
    assert bool((np.diff(volume.planes.origin[:, 2]) < 0).all())
    assert ("hu", np.int16, (32, 512, 512)) == (
        volume.kind,
        volume.array.dtype,
        volume.array.shape,
    )
    assert volume.array.min() == -1024
    assert 1000 < volume.array.max() < 3072


def test_signed_and_unsigned_heads(real_data: Path) -> None:
    """Five slices of five patients: air is near -1000 HU in all, soft tissue between 20 and 60."""
    reading = read_studies(real_data / "head_ct" / "rsna2019_dicom_single")
    volumes = [decode(study.series[0].stacks[0]) for study in reading.studies]

    assert [one.code for one in reading.findings] == ["patients_mixed"] + ["uid_invalid"] * 5
    for volume in volumes:
        tissue = volume.array[(volume.array > 0) & (volume.array < 100)]
        assert volume.array.min() <= -1000
        assert 20 < np.median(tissue) < 60
