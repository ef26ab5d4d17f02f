"""A folder read part by part says what it says when it is read at once."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
from written_dicom import AXIAL, save, slice_dataset

from overread.imaging.reading import Parts, Reading, read_parts, read_studies
from overread.imaging.reading.parts import joined

STUDIES = ("1.2.3", "1.2.10", "1.2.4")


def muddle(folder: Path) -> None:
    """Write three studies whose files alternate in one folder, a stranger's file and a note."""
    for number in range(12):
        study = STUDIES[number % 3]
        values = {
            "ImagePositionPatient": [0.0, 0.0, 4.0 * (number // 3)],
            "ImageOrientationPatient": list(AXIAL),
            "StudyInstanceUID": study,
            "SeriesInstanceUID": f"{study}.1",
            "PatientID": "stranger-1" if number == 9 else f"id-{study}",
        }
        save(slice_dataset(number, **values), folder / f"{number}.dcm")
    (folder / "notes.txt").write_text("not an image")


def every(parts: Parts) -> Reading:
    """Read all parts."""
    readings = list(parts)
    studies = tuple(chain.from_iterable(one.studies for one in readings))
    return Reading(studies, (*parts.findings, *chain.from_iterable(r.findings for r in readings)))


def test_parts_tell_what_the_whole_tells(tmp_path: Path) -> None:
    """Studies, their slices and all findings are the same; the order is that of the files."""
    muddle(tmp_path)
    whole, parts = read_studies(tmp_path), read_parts(tmp_path)
    found = every(parts)

    assert [study.id for study in found.studies] == [*STUDIES]
    assert {one.code for one in parts.findings} == {"not_dicom", "patients_mixed"}
    assert "patient_differs" in {one.code for one in found.findings}
    assert sorted(map(repr, found.findings)) == sorted(map(repr, whole.findings))
    ordered = sorted(found.to_json()["studies"], key=lambda one: one["study_uid"])
    assert ordered == sorted(whole.to_json()["studies"], key=lambda one: one["study_uid"])


def test_a_part_is_one_study(tmp_path: Path) -> None:
    """Each part holds the findings of its study alone."""
    muddle(tmp_path)

    for reading in read_parts(tmp_path):
        (study,) = reading.studies
        assert {one.study for one in reading.findings} <= {study.id}
        assert np.diff(study.series[0].planes.origin[:, 2]).max() < 0


def test_what_belongs_together_is_one_part(tmp_path: Path) -> None:
    """Studies that share a name are read together, the others alone."""
    muddle(tmp_path)
    apart = {"1.dcm": "b", "2.dcm": "b"}
    parts = read_parts(tmp_path, together=lambda file: apart.get(file.name))

    assert [[study.id for study in one.studies] for one in parts] == [
        ["1.2.3"],
        ["1.2.4", "1.2.10"],
    ]


def test_parts_of_a_reading_are_its_studies(tmp_path: Path) -> None:
    """What was read at once can be gone through in the same way."""
    muddle(tmp_path)
    whole = read_studies(tmp_path)
    parts = Parts.of(whole).then(lambda one: replace(one, findings=()))

    assert len(parts) == 3
    assert every(parts).studies == whole.studies
    assert {one.study for one in parts.findings} == {None}


def test_nothing_there_is_told(tmp_path: Path) -> None:
    """An empty folder and an absent one have no parts, and a finding."""
    for folder, code in ((tmp_path, "no_files"), (tmp_path / "absent", "path_missing")):
        parts = read_parts(folder)
        assert (len(parts), [one.code for one in parts.findings]) == (0, [code])


def test_links_reach_across_names() -> None:
    """A chain of links joins; what nothing links stays alone."""
    links = [("a", "x"), ("b", "y"), ("b", "x"), ("d", "z")]

    assert joined(links, ["a", "b", "c", "d"]) == [["a", "b"], ["c"], ["d"]]
