"""Folders full of trouble: each trouble is a finding, never an error."""

import os
import zipfile
from pathlib import Path

import pytest
from pydicom.dataset import FileDataset
from written_dicom import SERIES, STUDY, save, slice_dataset, write_slices

from overread.imaging.reading import Reading, read_studies


def codes(reading: Reading) -> list[str]:
    return sorted(finding.code for finding in reading.findings)


def test_a_clean_series_has_no_findings(tmp_path: Path) -> None:
    """Silence means that nothing is odd."""
    write_slices(tmp_path, [0.0, 4.0, 8.0, 12.0])

    assert codes(read_studies(tmp_path)) == []


def test_empty_and_absent_folders(tmp_path: Path) -> None:
    """Nothing to read is a finding."""
    assert codes(read_studies(tmp_path)) == ["no_files"]
    assert codes(read_studies(tmp_path / "nowhere")) == ["path_missing"]


def test_strays_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    """Empty files, texts, archives and cut-off headers are set aside one by one."""
    (good,) = write_slices(tmp_path, [0.0])
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "Übersicht.txt").write_text("notes", encoding="utf-8")
    (tmp_path / "notes.dcm").write_text("no image", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("1.dcm", good.read_bytes())
    (tmp_path / "cut.dcm").write_bytes(good.read_bytes()[:400])

    reading = read_studies(tmp_path)

    assert {finding.file: (finding.code, finding.severity) for finding in reading.findings} == {
        "empty.dcm": ("empty_file", "refuse"),
        "Übersicht.txt": ("not_dicom", "note"),
        "notes.dcm": ("not_dicom_image", "refuse"),
        "all.zip": ("archive", "refuse"),
        "cut.dcm": ("truncated_header", "refuse"),
    }
    assert len(reading.studies[0].series[0].frames) == 1


def test_links_in_circles_end(tmp_path: Path) -> None:
    """A folder linked into itself is entered once, a link to nothing is a finding."""
    write_slices(tmp_path / "a", [0.0, 4.0])
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "lost").symlink_to(tmp_path / "nothing")
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")

    reading = read_studies(tmp_path)

    assert codes(reading) == ["unreadable_file", "unreadable_file"]
    assert len(reading.studies[0].series[0].frames) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_forbidden_files_and_folders(tmp_path: Path) -> None:
    """Files and folders without rights are findings."""
    first, _ = write_slices(tmp_path / "a", [0.0, 4.0])
    first.chmod(0)
    (tmp_path / "b").mkdir(mode=0)

    assert codes(read_studies(tmp_path)) == ["folder_unreadable", "unreadable_file"]


def test_a_large_stray_file_is_not_read_whole(tmp_path: Path) -> None:
    """A sparse file of 4 GB is judged by its first bytes."""
    with (tmp_path / "huge.raw").open("wb") as file:
        file.write(os.urandom(1000))
        file.truncate(2**32)

    assert codes(read_studies(tmp_path)) == ["not_dicom"]


def test_pixels_cut_off_are_found_without_decoding(tmp_path: Path) -> None:
    """A file shorter than its rows and columns need is refused, with both numbers."""
    paths = write_slices(tmp_path, [0.0, 4.0, 8.0])
    paths[1].write_bytes(paths[1].read_bytes()[:-40])

    reading = read_studies(tmp_path)
    (finding,) = [one for one in reading.findings if one.severity == "refuse"]

    assert (finding.code, finding.file) == ("pixels_truncated", "2.dcm")
    assert "56 bytes" in finding.message
    assert "96" in finding.message
    assert len(reading.studies[0].series[0].frames) == 2


def test_objects_without_pixels_are_noted(tmp_path: Path) -> None:
    """A report has no pixels, an image must have some, and unknown syntaxes are told."""
    report = slice_dataset(1, PixelData=None, Rows=None, Columns=None, Modality="SR")
    save(report, tmp_path / "sr.dcm")
    save(slice_dataset(2, PixelData=None), tmp_path / "bare.dcm")
    video = slice_dataset(3)
    video.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    video.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    video["PixelData"].is_undefined_length = True
    save(video, tmp_path / "video.dcm")

    found = {finding.file: finding.code for finding in read_studies(tmp_path).findings}

    assert found == {
        "sr.dcm": "no_pixels",
        "bare.dcm": "pixels_missing",
        "video.dcm": "transfer_syntax_unsupported",
    }


@pytest.mark.parametrize("kept", ["mark", "meta", "element"])
def test_a_file_that_ends_before_it_says_what_it_is_was_cut(tmp_path: Path, kept: str) -> None:
    """A copy that was cut behind its mark, or in the first elements, is no harmless object."""
    save(slice_dataset(1), tmp_path / "whole.dcm")
    whole = (tmp_path / "whole.dcm").read_bytes()
    begin = whole.index(b"\x08\x00")  # the data set, behind the file meta information
    (tmp_path / "whole.dcm").unlink()
    cut = {"mark": 132, "meta": begin, "element": begin + 6}[kept]
    (tmp_path / "cut.dcm").write_bytes(whole[:cut])

    (finding,) = read_studies(tmp_path).findings

    assert (finding.code, finding.severity) == ("truncated_header", "refuse")


def test_another_patient_in_the_study_is_set_aside(tmp_path: Path) -> None:
    """Within one StudyInstanceUID the patient of most files stays."""
    write_slices(tmp_path, [0.0, 4.0, 8.0])
    save(slice_dataset(9, PatientID="P0002"), tmp_path / "stranger.dcm")

    reading = read_studies(tmp_path)
    stranger = next(one for one in reading.findings if one.code == "patient_differs")

    assert (stranger.severity, stranger.file, stranger.study) == ("refuse", "stranger.dcm", STUDY)
    assert reading.studies[0].subject == "P0001"
    assert len(reading.studies[0].series[0].frames) == 3


def missing(keyword: str) -> FileDataset:
    return slice_dataset(2, **{keyword: None})


@pytest.mark.parametrize(
    ("keyword", "code"),
    [
        ("ImagePositionPatient", "position_missing"),
        ("ImageOrientationPatient", "orientation_missing"),
    ],
)
def test_a_slice_without_a_place_is_set_aside(tmp_path: Path, keyword: str, code: str) -> None:
    """Position and orientation cannot be guessed."""
    for n in (1, 3, 4):
        save(slice_dataset(n), tmp_path / f"{n}.dcm")
    save(missing(keyword), tmp_path / "2.dcm")

    reading = read_studies(tmp_path)

    assert code in codes(reading)
    assert len(reading.studies[0].series[0].frames) == 3


def test_a_missing_spacing_is_taken_from_the_other_slices(tmp_path: Path) -> None:
    """Repaired, and said so."""
    save(slice_dataset(1), tmp_path / "1.dcm")
    save(missing("PixelSpacing"), tmp_path / "2.dcm")

    reading = read_studies(tmp_path)

    assert codes(reading) == ["spacing_repaired"]
    assert reading.studies[0].series[0].planes.spacing.tolist() == [[0.5, 0.25], [0.5, 0.25]]


def test_a_series_without_any_place_stays_in_pixels(tmp_path: Path) -> None:
    """Images without geometry can be shown, but not measured, and get no role."""
    for n in (2, 1):
        save(slice_dataset(n, ImagePositionPatient=None), tmp_path / f"{n}.dcm")

    reading = read_studies(tmp_path)
    (stack,) = reading.studies[0].series[0].stacks

    assert (stack.planes.space, stack.role) == ("image", None)
    assert codes(reading) == ["position_missing", "position_missing"]
    assert reading.to_json()["studies"][0]["series"][0]["stacks"][0]["normal"] is None


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_invalid_and_missing_uids(tmp_path: Path) -> None:
    """Invalid UIDs are used as they are; missing ones are replaced by the folder."""
    save(slice_dataset(1, SeriesInstanceUID="ID_4d28"), tmp_path / "1.dcm")
    save(slice_dataset(2, SeriesInstanceUID=None), tmp_path / "x" / "2.dcm")

    reading = read_studies(tmp_path)

    assert codes(reading) == ["uid_invalid", "uid_missing"]
    assert [one.uid for one in reading.studies[0].series] == ["ID_4d28", "no-series-uid-x"]


@pytest.mark.parametrize(
    ("slope", "intercept", "code"),
    [
        ("0", "-1024", "rescale_wrong"),
        ("1e30", "0", "rescale_wrong"),
        ("-1", "0", "rescale_wrong"),
        (None, None, "rescale_missing"),
    ],
)
def test_rescales_that_cannot_be_right(
    tmp_path: Path, slope: str | None, intercept: str | None, code: str
) -> None:
    """A CT without a sound rescale has no Hounsfield units."""
    values = {"RescaleSlope": slope, "RescaleIntercept": intercept, "Modality": "CT"}
    given = {keyword: value for keyword, value in values.items() if value is not None}
    write_slices(tmp_path, [0.0, 4.0], **given)

    (finding,) = read_studies(tmp_path).findings

    assert (code, SERIES) == (finding.code, finding.series)
