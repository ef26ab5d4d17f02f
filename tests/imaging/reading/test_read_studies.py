"""Folders become studies: order, planes, subjects, JSON."""

import json
from pathlib import Path

import numpy as np
from written_dicom import AXIAL, SERIES, STUDY, save, slice_dataset, write_slices

from overread.imaging.reading import read_studies


def test_slices_are_ordered_by_position(tmp_path: Path) -> None:
    """Neither file names nor instance numbers decide the order: patient right comes first."""
    write_slices(tmp_path, [8.0, -4.0, 0.0, 4.0])

    (study,) = read_studies(tmp_path).studies
    (stack,) = study.series[0].stacks

    assert stack.planes.origin[:, 0].tolist() == [-4.0, 0.0, 4.0, 8.0]
    assert [frame.path.name for frame in stack.frames] == ["2.dcm", "3.dcm", "4.dcm", "1.dcm"]


def test_axial_slices_run_from_head_to_feet(tmp_path: Path) -> None:
    """Axial stacks descend along z."""
    for n, z in enumerate([10.0, 30.0, 20.0], start=1):
        place = {"ImagePositionPatient": [0.0, 0.0, z], "ImageOrientationPatient": list(AXIAL)}
        save(slice_dataset(n, **place, SeriesDescription="AX T2"), tmp_path / f"{n}")

    (stack,) = read_studies(tmp_path).studies[0].series[0].stacks

    assert stack.planes.origin[:, 2].tolist() == [30.0, 20.0, 10.0]


def test_planes_keep_rows_and_columns_apart(tmp_path: Path) -> None:
    """PixelSpacing is distance between rows, then between columns; size is rows, columns."""
    write_slices(tmp_path, [0.0])

    (stack,) = read_studies(tmp_path).studies[0].series[0].stacks

    assert stack.planes.spacing.tolist() == [[0.5, 0.25]]
    assert stack.planes.size.tolist() == [[6, 8]]


def test_gantry_tilt_is_the_angle_between_normal_and_stacking(tmp_path: Path) -> None:
    """A table moving along z under a gantry tilted by 20 degrees: spacing is shorter than 5 mm."""
    angle = np.deg2rad(20)
    tilted = [1.0, 0.0, 0.0, 0.0, float(np.cos(angle)), float(-np.sin(angle))]
    for n in range(5):
        place = {"ImagePositionPatient": [0.0, 0.0, 5.0 * n], "ImageOrientationPatient": tilted}
        save(slice_dataset(n, **place, Modality="CT"), tmp_path / f"{n}.dcm")

    stack = read_studies(tmp_path).to_json()["studies"][0]["series"][0]["stacks"][0]

    assert stack["tilt_deg"] == 20.0
    assert round(5 * float(np.cos(angle)), 5) == round(stack["spacing_mm"], 5)


def test_one_slice_has_neither_spacing_nor_tilt(tmp_path: Path) -> None:
    """A stack of one slice reports null."""
    write_slices(tmp_path, [0.0])

    stack = read_studies(tmp_path).to_json()["studies"][0]["series"][0]["stacks"][0]

    assert (stack["num_slices"], stack["spacing_mm"], stack["tilt_deg"]) == (1, None, None)


def test_json_holds_no_name(tmp_path: Path) -> None:
    """The report gives UIDs, geometry and the subject, is plain JSON, and names nobody."""
    write_slices(tmp_path / "any" / "where", [0.0, 4.0, 8.0])

    report = read_studies(tmp_path).to_json()
    (study,) = report["studies"]
    (series,) = study["series"]

    assert (
        study["study_uid"],
        study["subject"],
        series["series_uid"],
    ) == (STUDY, "P0001", SERIES)
    assert [f"{SERIES}.{n}" for n in (1, 2, 3)] == series["stacks"][0]["sop_instance_uids"]
    assert series["stacks"][0]["spacing_mm"] == 4.0
    assert series["stacks"][0]["pixel_spacing_mm"] == [0.5, 0.25]
    assert "muster" not in json.dumps(report).lower()


def test_a_subject_called_by_name_is_hashed(tmp_path: Path) -> None:
    """A PatientID that is the name becomes a hash, the same in both studies."""
    named = {"PatientID": "Muster^Martha"}
    write_slices(tmp_path / "a", [0.0], **named)
    write_slices(tmp_path / "b", [0.0], **named, StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2")

    one, other = read_studies(tmp_path).studies

    assert one.subject == other.subject
    assert one.subject.startswith("subject-")


def test_a_series_across_folders_is_one_series(tmp_path: Path) -> None:
    """UIDs decide what belongs together, not folders."""
    for n in range(1, 5):
        save(slice_dataset(n), tmp_path / f"disc{n % 2}" / "deep" / f"{n}.bin")

    (study,) = read_studies(tmp_path).studies

    assert [len(series.frames) for series in study.series] == [4]


def test_a_single_file_can_be_read(tmp_path: Path) -> None:
    """A path to a file reads that file alone."""
    first, _ = write_slices(tmp_path, [0.0, 4.0])

    (study,) = read_studies(first).studies

    assert [first] == [frame.path for frame in study.series[0].frames]


def test_progress_reaches_its_total(tmp_path: Path) -> None:
    """The callback is told of every file, in one thread or several."""
    write_slices(tmp_path, [4.0 * n for n in range(70)])
    for workers in (None, 1, 2):
        calls: list[tuple[str, int, int]] = []

        def listen(stage: str, done: int, total: int, calls: list = calls) -> None:
            calls.append((stage, done, total))

        read_studies(tmp_path, workers=workers, on_progress=listen)

        assert calls == [("scan", 70, 70), ("headers", 64, 70), ("headers", 70, 70)]


def test_workers_do_not_change_the_result(tmp_path: Path) -> None:
    """One thread and three give the same report."""
    write_slices(tmp_path, [4.0 * n for n in range(130)])

    assert (
        read_studies(tmp_path, workers=1).to_json() == read_studies(tmp_path, workers=3).to_json()
    )
