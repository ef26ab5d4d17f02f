"""Folders of forged studies: layout, repeatability, and files that DICOM readers take."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydicom import dcmread

from overread.phantoms import forge_lumbar
from overread.phantoms.lumbar import forge_study
from overread.phantoms.rsna_layout import write_study, write_tables

_LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
_SEED_WITH_DIRT = 4  # its first study is soiled in several ways, compression among them


def _files(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _truth(folder: Path) -> list[dict]:
    text = (folder / "phantom_truth.json").read_text(encoding="utf-8")
    return json.loads(text)["studies"]


def test_tables_have_the_columns_of_the_challenge(two_studies):
    """Grades are condition-major and level-minor; the other tables have the known columns."""
    grades = pl.read_csv(two_studies / "train.csv")
    points = pl.read_csv(two_studies / "train_label_coordinates.csv")
    series = pl.read_csv(two_studies / "train_series_descriptions.csv")

    assert len(grades.columns) == 26
    assert grades.columns[:2] == ["study_id", "spinal_canal_stenosis_l1_l2"]
    assert grades.columns[6] == "left_neural_foraminal_narrowing_l1_l2"
    assert grades.columns[25] == "right_subarticular_stenosis_l5_s1"
    assert points.columns == [
        "study_id",
        "series_id",
        "instance_number",
        "condition",
        "level",
        "x",
        "y",
    ]
    assert series.columns == ["study_id", "series_id", "series_description"]
    found = {value for name in grades.columns[1:] for value in grades[name].drop_nulls()}
    assert found <= {"Normal/Mild", "Moderate", "Severe"}
    assert set(_LEVELS) == set(points["level"])
    assert set(series["series_description"]) == {"Sagittal T1", "Sagittal T2/STIR", "Axial T2"}


def test_marked_pixels_map_back_to_the_true_points(two_studies):
    """IPP, IOP and PixelSpacing of the named file lead from (x, y) to the truth in world mm."""
    truth = {study["study_id"]: study for study in _truth(two_studies)}
    points = pl.read_csv(two_studies / "train_label_coordinates.csv")
    for row in points.iter_rows(named=True):
        path = two_studies / "train_images" / str(row["study_id"]) / str(row["series_id"])
        header = dcmread(path / f"{row['instance_number']}.dcm", stop_before_pixels=True)
        origin = np.array(header.ImagePositionPatient, float)
        across, down = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
        spacing = [float(value) for value in header.PixelSpacing]
        found = origin + across * spacing[1] * row["x"] + down * spacing[0] * row["y"]
        study, level = truth[row["study_id"]], _LEVELS.index(row["level"])
        if row["condition"] == "Spinal Canal Stenosis":
            wanted = study["canal_centres"][level]
        else:
            kind = "foramina" if "Foraminal" in row["condition"] else "recesses"
            wanted = study[kind][row["condition"].split()[0].lower()][level]
        offset = found - np.array(wanted)

        assert np.linalg.norm(offset) <= float(header.SliceThickness)
        assert abs(offset @ across) < 0.01
        assert abs(offset @ down) < 0.01


def test_files_are_mr_images_without_a_name(two_studies):
    """Each file reads without a complaint and says what a viewer needs."""
    paths = sorted((two_studies / "train_images").rglob("*.dcm"))
    frames = set()
    for path in paths[::7]:
        header = dcmread(path)
        frames.add((header.StudyInstanceUID, header.FrameOfReferenceUID))

        assert header.pixel_array.shape == (header.Rows, header.Columns)
        assert header.pixel_array.max() < 2**header.BitsStored
        assert int(path.stem) == header.InstanceNumber
        assert not str(header.PatientName)
        assert header.PatientID.startswith("PHANTOM-")
        assert header.SOPInstanceUID.startswith("2.25.")
        assert len(header.SOPInstanceUID) <= 64
        assert float(header.WindowWidth) > 0
        assert header.Modality == "MR"
    assert len(frames) == 2


def test_fewer_studies_are_a_prefix_and_processes_change_nothing(two_studies, tmp_path):
    """One study, made in this process, has the bytes of the first of two made by others."""
    seen = []
    forge_lumbar(
        tmp_path, num_studies=1, seed=3, workers=1, on_progress=lambda *done: seen.append(done)
    )
    one, two = _files(tmp_path), _files(two_studies)
    images = {name: data for name, data in one.items() if name.startswith("train_images")}

    assert seen == [(1, 1)]
    assert images == {name: two[name] for name in images}
    for table in ("train.csv", "train_label_coordinates.csv", "train_series_descriptions.csv"):
        assert two[table].startswith(one[table])
    assert _truth(two_studies)[0] == _truth(tmp_path)[0]


def test_hospital_studies_are_the_clean_ones_with_dirt(tmp_path):
    """A hospital study can be read file by file; the truth lists its dirt."""
    study = forge_study(_SEED_WITH_DIRT, 0, style="hospital")
    write_tables(tmp_path, [write_study(tmp_path, study)])
    notes = _truth(tmp_path)[0]["dirt"]
    compressed = {note["series_id"] for note in notes if note["kind"] == "compressed"}

    assert compressed
    assert list(study.dirt) == notes
    for series in study.series:
        folder = tmp_path / "train_images" / str(study.study_id) / str(series.series_id)
        image = series.slices[len(series.slices) // 2]
        header = dcmread(folder / f"{image.instance}.dcm")
        assert header.file_meta.TransferSyntaxUID.is_compressed == (series.series_id in compressed)
        assert np.array_equal(image.pixels, header.pixel_array)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"num_studies": 0}, "num_studies is 0; expected 1 or more"),
        ({"seed": -1}, "seed is -1; expected 0 or more"),
        ({"style": "filthy"}, "style is 'filthy'; expected 'clean' or 'hospital'"),
        ({"workers": 0}, "workers is 0; expected 1 or more"),
    ],
)
def test_impossible_settings_are_refused(tmp_path, wrong, words):
    """The error names the setting, what was found and what was expected."""
    with pytest.raises(ValueError, match=words):
        forge_lumbar(tmp_path, **({"num_studies": 1, "seed": 0} | wrong))


def test_a_folder_with_studies_is_left_alone(tmp_path):
    """Forging into a folder that holds studies is refused before anything is written."""
    (tmp_path / "train_images").mkdir()
    with pytest.raises(FileExistsError, match="holds studies already"):
        forge_lumbar(tmp_path, num_studies=1, seed=0)
