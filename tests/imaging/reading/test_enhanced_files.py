"""Multi-frame files with functional groups, and the old ones without."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from written_dicom import AXIAL, save, set_pixels, slice_dataset

from overread.imaging.reading import Reading, decode, read_studies
from overread.records import Stack

PIXELS = np.arange(6 * 4 * 5, dtype=np.uint16).reshape(6, 4, 5)


def holding(**values: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def enhanced(
    heights: list[float], pixels: NDArray[np.uint16] = PIXELS, *, rescales: bool = False
) -> FileDataset:
    """Return an enhanced axial MR file whose frames lie at these heights."""
    dataset = slice_dataset(1, NumberOfFrames=len(heights), SeriesDescription="AX T2")
    set_pixels(dataset, pixels)
    del dataset.ImagePositionPatient, dataset.ImageOrientationPatient, dataset.PixelSpacing
    shared = holding(
        PlaneOrientationSequence=[holding(ImageOrientationPatient=list(AXIAL))],
        PixelMeasuresSequence=[holding(PixelSpacing=[0.7, 0.6], SliceThickness="3")],
    )
    frames = []
    for number, z in enumerate(heights):
        group = holding(PlanePositionSequence=[holding(ImagePositionPatient=[0.0, 0.0, z])])
        if rescales:
            group.PixelValueTransformationSequence = [
                holding(RescaleSlope=str(number + 1), RescaleIntercept="0", RescaleType="US")
            ]
        frames.append(group)
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    return dataset


def only_stack(reading: Reading) -> Stack:
    (stack,) = reading.studies[0].series[0].stacks
    return stack


def test_frames_are_ordered_by_their_own_planes(tmp_path: Path) -> None:
    """Frames of one file are sorted like files; each keeps its number in the file."""
    save(enhanced([0.0, 20.0, 10.0, 30.0, 50.0, 40.0]), tmp_path / "1.dcm")

    stack = only_stack(read_studies(tmp_path))

    assert [frame.index for frame in stack.frames] == [4, 5, 3, 1, 2, 0]
    assert stack.role == "axial_t2"
    assert stack.planes.spacing[0].tolist() == [0.7, 0.6]
    assert np.array_equal(PIXELS[[4, 5, 3, 1, 2, 0]], decode(stack).array)


def test_each_frame_has_its_rescale(tmp_path: Path) -> None:
    """Slopes may change from frame to frame."""
    save(enhanced([5.0, 4.0, 3.0, 2.0, 1.0, 0.0], rescales=True), tmp_path / "1.dcm")

    volume = decode(only_stack(read_studies(tmp_path)))

    assert np.array_equal(PIXELS * np.arange(1, 7)[:, None, None], volume.array)


def test_files_of_one_concatenation_are_one_stack(tmp_path: Path) -> None:
    """Frames of several files of a series are merged by position."""
    save(enhanced([0.0, 2.0, 4.0], PIXELS[:3]), tmp_path / "1.dcm")
    second = enhanced([1.0, 3.0, 5.0], PIXELS[3:])
    second.SOPInstanceUID = "1.2.3"
    save(second, tmp_path / "2.dcm")

    stack = only_stack(read_studies(tmp_path))

    assert stack.planes.origin[:, 2].tolist() == [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    assert np.array_equal(PIXELS[[5, 2, 4, 1, 3, 0]], decode(stack).array)


def test_too_few_groups_are_a_finding(tmp_path: Path) -> None:
    """A file whose groups do not fit its frames is refused."""
    broken = enhanced([0.0, 1.0])
    broken.NumberOfFrames = 6
    save(broken, tmp_path / "1.dcm")

    reading = read_studies(tmp_path)

    assert reading.studies == ()
    assert [finding.code for finding in reading.findings] == ["groups_unreadable"]


def test_dose_grids_lie_along_their_offsets(tmp_path: Path) -> None:
    """Old multi-frame grids tell the place of each frame by an offset."""
    dataset = slice_dataset(
        1, NumberOfFrames=3, GridFrameOffsetVector=[0, 2, 4], ImageOrientationPatient=list(AXIAL)
    )
    set_pixels(dataset, PIXELS[:3])
    save(dataset, tmp_path / "1.dcm")

    stack = only_stack(read_studies(tmp_path))

    assert stack.planes.origin[:, 2].tolist() == [4.0, 2.0, 0.0]


@pytest.mark.parametrize("frames", [1, 6])
def test_films_have_no_place(tmp_path: Path, frames: int) -> None:
    """Frames of an old multi-frame file without places stay in file order, in pixels."""
    dataset = slice_dataset(1, NumberOfFrames=frames, ImagePositionPatient=None, Modality="US")
    set_pixels(dataset, PIXELS[:frames])
    save(dataset, tmp_path / "1.dcm")

    stack = only_stack(read_studies(tmp_path))

    assert ("image", list(range(frames))) == (
        stack.planes.space,
        [frame.index for frame in stack.frames],
    )
