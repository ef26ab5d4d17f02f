"""One series, several stacks: tilted blocks, localizers, repetitions, gaps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from written_dicom import AXIAL, CORONAL, SAGITTAL, save, slice_dataset, write_slices

from overread.imaging.reading import Reading, read_studies
from overread.records import Stack

AXIAL_T2 = {"SeriesDescription": "AX T2", "ImageOrientationPatient": list(AXIAL)}


def stacks(reading: Reading) -> Sequence[Stack]:
    return reading.studies[0].series[0].stacks


def codes(reading: Reading) -> list[str]:
    return sorted(finding.code for finding in reading.findings)


def tilted(degrees: float) -> list[float]:
    angle = np.deg2rad(degrees)
    return [1.0, 0.0, 0.0, 0.0, round(float(np.cos(angle)), 8), round(float(np.sin(angle)), 8)]


def write_blocks(folder: Path, tilts: Sequence[float], centres: Sequence[float]) -> None:
    """Write three axial slices per block, 4 mm apart along the block's normal."""
    number = 0
    for tilt, z in zip(tilts, centres, strict=True):
        orientation = tilted(tilt)
        normal = np.cross(orientation[:3], orientation[3:])
        for step in (-4.0, 0.0, 4.0):
            number += 1
            place = [float(v) for v in np.array([0.0, 0.0, z]) + step * normal]
            values = {
                **AXIAL_T2,
                "ImagePositionPatient": place,
                "ImageOrientationPatient": orientation,
            }
            save(slice_dataset(number, **values), folder / f"{97 * number % 31}.dcm")


def test_blocks_tilted_to_their_discs_are_stacks(tmp_path: Path) -> None:
    """Each direction is a stack of its own, from head to feet, all with the role of the series."""
    write_blocks(tmp_path, [-25.0, 10.0, 0.5, 50.0], [-60.0, 60.0, 20.0, -100.0])

    reading = read_studies(tmp_path)
    report = reading.to_json()["studies"][0]["series"][0]["stacks"]

    assert [stack.role for stack in stacks(reading)] == ["axial_t2"] * 4
    assert [len(stack.frames) for stack in stacks(reading)] == [3, 3, 3, 3]
    heights = [float(stack.planes.origin[:, 2].mean()) for stack in stacks(reading)]
    assert sorted(heights, reverse=True) == heights
    assert [round(stack["spacing_mm"], 4) for stack in report] == [4.0] * 4
    assert [round(stack["tilt_deg"], 2) for stack in report] == [0.0] * 4
    assert codes(reading) == []


def test_parallel_blocks_beside_one_another_are_two_stacks(tmp_path: Path) -> None:
    """Two discs may share a direction; their slices are not one run."""
    for n in range(8):
        y = 0.0 if n < 4 else 15.0
        z = 4.0 * n if n < 4 else 40.0 + 4.0 * n
        values = {**AXIAL_T2, "ImagePositionPatient": [0.0, y, z]}
        save(slice_dataset(n, **values), tmp_path / f"{n}.dcm")

    reading = read_studies(tmp_path)

    assert [len(stack.frames) for stack in stacks(reading)] == [4, 4]
    assert codes(reading) == []


def test_marked_localizers_are_set_aside(tmp_path: Path) -> None:
    """Localizers in a series are stacks without a role; the series keeps its own."""
    write_slices(tmp_path / "a", [0.0, 4.0, 8.0, 12.0])
    mark = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    save(slice_dataset(8, ImageType=mark), tmp_path / "8.dcm")
    crossing = slice_dataset(9, ImageType=mark, ImageOrientationPatient=list(AXIAL))
    save(crossing, tmp_path / "9.dcm")

    reading = read_studies(tmp_path)

    assert reading.studies[0].series[0].role == "sagittal_t2"
    assert [stack.role for stack in stacks(reading)] == ["sagittal_t2", None, None]
    assert [len(stack.frames) for stack in stacks(reading)] == [4, 1, 1]
    assert codes(reading) == ["localizer_mixed"]


def test_crossing_images_without_a_mark_are_set_aside(tmp_path: Path) -> None:
    """A few images of another plane in a series are localizers, whatever they call themselves."""
    write_slices(tmp_path / "a", [4.0 * n for n in range(6)])
    save(slice_dataset(9, ImageOrientationPatient=list(CORONAL)), tmp_path / "9.dcm")

    reading = read_studies(tmp_path)

    assert {len(one.frames): one.role for one in stacks(reading)} == {6: "sagittal_t2", 1: None}


def test_copies_are_set_aside(tmp_path: Path) -> None:
    """The same file twice, and the same pixels under a new UID and number: one is kept."""
    write_slices(tmp_path, [0.0, 4.0, 8.0])
    (tmp_path / "copy.dcm").write_bytes((tmp_path / "1.dcm").read_bytes())
    renamed = slice_dataset(2, ImagePositionPatient=[4.0, 0.0, 0.0])
    renamed.SOPInstanceUID, renamed.InstanceNumber = "1.2.3.4", 77
    save(renamed, tmp_path / "renumbered.dcm")

    reading = read_studies(tmp_path)

    assert codes(reading) == ["duplicate", "duplicate"]
    assert [len(stack.frames) for stack in stacks(reading)] == [3]
    assert {"copy.dcm", "renumbered.dcm"} == {finding.file for finding in reading.findings}


def test_one_uid_for_different_images_keeps_them_all(tmp_path: Path) -> None:
    """A repeated SOPInstanceUID with another place is another image."""
    for n in (1, 2, 3):
        values = {"ImagePositionPatient": [4.0 * n, 0.0, 0.0], "SOPInstanceUID": "1.2.3"}
        save(slice_dataset(n, **values), tmp_path / f"{n}.dcm")

    reading = read_studies(tmp_path)

    assert codes(reading) == ["sop_uid_repeated", "sop_uid_repeated"]
    assert [len(stack.frames) for stack in stacks(reading)] == [3]


def test_echoes_are_stacks_with_roles_of_their_own(tmp_path: Path) -> None:
    """A double echo gives a proton density and a T2 stack."""
    plain = {"SeriesDescription": "SAG DUAL ECHO", "RepetitionTime": "3000"}
    write_slices(tmp_path / "a", [0.0, 4.0, 8.0], EchoTime="12", **plain)
    for n in range(3):
        place = {"ImagePositionPatient": [4.0 * n, 0.0, 0.0], "EchoTime": "100"}
        save(slice_dataset(20 + n, **place, **plain), tmp_path / f"{n}.dcm")

    reading = read_studies(tmp_path)

    assert [stack.role for stack in stacks(reading)] == ["sagittal_pd", "sagittal_t2"]
    assert codes(reading) == ["positions_repeat"]


def test_a_second_acquisition_is_set_aside(tmp_path: Path) -> None:
    """The stack with more slices keeps the role; the partial repetition has none."""
    write_slices(tmp_path / "a", [4.0 * n for n in range(5)], AcquisitionNumber=1)
    for n in range(2):
        place = {"ImagePositionPatient": [4.0 * n, 0.0, 0.0], "AcquisitionNumber": 2}
        save(slice_dataset(20 + n, **place), tmp_path / f"{n}.dcm")

    found = {len(stack.frames): stack.role for stack in stacks(read_studies(tmp_path))}

    assert found == {5: "sagittal_t2", 2: None}


def test_a_shifted_second_acquisition_is_told_apart(tmp_path: Path) -> None:
    """Two acquisitions half a step apart are two regular stacks, not one irregular one."""
    write_slices(tmp_path / "a", [4.0 * n for n in range(5)], AcquisitionNumber=1)
    for n in range(5):
        place = {"ImagePositionPatient": [4.0 * n + 1.0, 0.0, 0.0], "AcquisitionNumber": 2}
        save(slice_dataset(20 + n, **place), tmp_path / f"{n}.dcm")

    found = [stack.planes.origin[:, 0].tolist() for stack in stacks(read_studies(tmp_path))]

    assert found == [[0.0, 4.0, 8.0, 12.0, 16.0], [1.0, 5.0, 9.0, 13.0, 17.0]]


def test_acquisition_numbers_that_count_slices_split_nothing(tmp_path: Path) -> None:
    """Some scanners number every slice; positions do not repeat, so it is one stack."""
    for n in range(6):
        save(slice_dataset(n, AcquisitionNumber=n), tmp_path / f"{n}.dcm")

    assert [len(stack.frames) for stack in stacks(read_studies(tmp_path))] == [6]


def test_missing_slices_are_counted(tmp_path: Path) -> None:
    """Gaps of whole steps are missing slices; the spacing is that of the others."""
    write_slices(tmp_path, [0.0, 4.0, 8.0, 16.0, 20.0, 32.0])

    reading = read_studies(tmp_path)

    assert codes(reading) == ["slices_missing"]
    assert "3 slices" in reading.findings[0].message
    assert reading.to_json()["studies"][0]["series"][0]["stacks"][0]["spacing_mm"] == 4.0


def test_unequal_spacing_is_noted(tmp_path: Path) -> None:
    """Steps that are no multiples of the usual one are unequal spacing."""
    write_slices(tmp_path, [0.0, 4.0, 8.0, 13.0, 17.0])

    assert codes(read_studies(tmp_path)) == ["spacing_unequal"]


def test_mixed_sizes_are_noted(tmp_path: Path) -> None:
    """Slices of another size stay in their stack."""
    write_slices(tmp_path, [0.0, 4.0, 8.0])
    small = slice_dataset(7, ImagePositionPatient=[12.0, 0.0, 0.0], Rows=3, Columns=8)
    small.PixelData = small.PixelData[:48]
    save(small, tmp_path / "7.dcm")

    reading = read_studies(tmp_path)

    assert codes(reading) == ["sizes_mixed"]
    assert stacks(reading)[0].planes.size.tolist() == [[6, 8], [6, 8], [6, 8], [3, 8]]


def test_slices_against_the_normal_are_ordered_the_same(tmp_path: Path) -> None:
    """The canonical order does not depend on which way the normal points."""
    mirrored = [SAGITTAL[0], -SAGITTAL[1], *SAGITTAL[2:]]
    write_slices(tmp_path, [8.0, 0.0, 4.0], ImageOrientationPatient=mirrored)

    (stack,) = stacks(read_studies(tmp_path))

    assert stack.planes.origin[:, 0].tolist() == [0.0, 4.0, 8.0]
    assert stack.planes.normal[0].tolist() == [1.0, 0.0, 0.0]
