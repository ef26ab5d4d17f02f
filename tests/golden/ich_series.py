"""The real head CT of the golden fixtures, decoded once, or a skip with its reason."""

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from overread.imaging import StudyPixels, decode, read_studies, scan_slices, study_stacks

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("OVERREAD_DATA", ROOT / "../shared/data"))
FOLDER = DATA / "head_ct" / "rsna2019_dicom_series"


@cache
def series() -> StudyPixels:
    """The study with its pixels."""
    if not FOLDER.is_dir():
        pytest.skip(f"{FOLDER} is absent; name its folder in OVERREAD_DATA")
    [study] = read_studies(FOLDER).studies
    return StudyPixels(study, tuple(decode(stack) for _, stack in study_stacks(study)))


@cache
def units() -> tuple[str, ...]:
    """Ids of the slices from the feet to the head."""
    return tuple(scan_slices([series().study])["unit"])


def hounsfield(z_index: int) -> NDArray[np.int16]:
    """HU of one slice."""
    row = scan_slices([series().study]).row(z_index, named=True)
    return np.asarray(series().volumes[row["stack"]].array[row["slice"]])


def check_pixels(entry: dict[str, Any]) -> None:
    """Skip when the slice is another version than the golden one."""
    assert units()[entry["z_index"]] == entry["image"]
    stored = (hounsfield(entry["z_index"]).astype(np.int32) + 1024).astype(np.uint16)
    if hashlib.sha256(stored.tobytes()).hexdigest() != entry["pixel_sha256"]:
        pytest.skip(f"{entry['image']} is another version than the golden one")
