"""Faces with and without masks: names become labels, photographs become studies."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from overread.datasets import DatasetError, mask_faces
from overread.datasets.faces_labels import RUBRIC
from overread.learning import FoldSpec, make_folds
from overread.records import Predictions

LOOKS = ("mask1", "mask2", "mask3", "mask4", "mask5", "incorrect_mask", "normal")
SPEC = mask_faces.Spec()


def write(path: Path, *, size: tuple[int, int] = (6, 8)) -> Path:
    """Write a small picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = np.full((size[1], size[0], 3), (90, 120, 150), np.uint8)
    Image.fromarray(shade).save(path)
    return path


def person(root: Path, name: str) -> Path:
    """Write the seven photographs of a person."""
    folder = root / "train" / "images" / name
    for number, look in enumerate(LOOKS):
        write(folder / f"{look}.{('jpg', 'png', 'jpeg')[number % 3]}")
    return folder


def labels_of(root: Path, **settings: object) -> dict[tuple[str, str], str]:
    """{(photograph, target): grade}."""
    found = mask_faces.read_labels(mask_faces.Spec.model_validate(settings), root).frame
    return {
        (unit, target): RUBRIC.target(target).grades[int(np.argmax(chances))]
        for unit, target, chances in found.select("unit", "target", "probabilities").iter_rows()
    }


def test_names_become_labels(tmp_path: Path) -> None:
    """Seven photographs of a person: their masks from the files, the rest from the folder."""
    person(tmp_path, "000001_female_Asian_45")
    dataset = mask_faces.read(SPEC, tmp_path)
    found = labels_of(tmp_path)

    assert [study.id for study in dataset.studies] == sorted(f"000001_{look}" for look in LOOKS)
    assert {"000001"} == {study.subject for study in dataset.studies}
    assert found["000001_mask3", "mask"] == "worn"
    assert found["000001_incorrect_mask", "mask"] == "incorrect"
    assert found["000001_normal", "mask"] == "not_worn"
    assert {found[f"000001_{look}", "gender"] for look in LOOKS} == {"female"}
    assert {found[f"000001_{look}", "age"] for look in LOOKS} == {"middle"}


def test_classes_are_numbered_as_in_the_challenge() -> None:
    """The rubric's combination is mask * 6 + gender * 3 + age; nobody writes these numbers."""
    [(target, of)] = RUBRIC.joint
    numbers = {
        (mask, gender, age): 6 * i + 3 * j + k
        for i, mask in enumerate(("worn", "incorrect", "not_worn"))
        for j, gender in enumerate(("male", "female"))
        for k, age in enumerate(("young", "middle", "old"))
    }

    assert of == ("mask", "gender", "age")
    assert {grades: target.grades.index(" ".join(grades)) for grades in numbers} == numbers


@pytest.mark.parametrize(("old_from", "expected"), [(58, "old"), (59, "middle"), (60, "middle")])
def test_the_age_boundary_is_a_setting(tmp_path: Path, old_from: int, expected: str) -> None:
    """A person of 58 is old from 58 on only."""
    person(tmp_path, "000001_male_Asian_58")

    assert labels_of(tmp_path, old_from=old_from)["000001_normal", "age"] == expected


def test_no_other_boundary_is_taken() -> None:
    """A boundary that none of the published systems used is refused."""
    with pytest.raises(ValueError, match="58, 59 or 60"):
        mask_faces.Spec(old_from=57)


def test_published_repairs_are_made(tmp_path: Path) -> None:
    """Exchanged files, other genders and true ages; all can be left out."""
    for name in ("000020_female_Asian_50", "000225_male_Asian_30", "001009_male_Asian_44"):
        person(tmp_path, name)
    person(tmp_path, "001498-1_male_Asian_23")
    found, plain = labels_of(tmp_path), labels_of(tmp_path, repairs=False)

    assert found["000020_normal", "mask"] == "incorrect"
    assert found["000020_incorrect_mask", "mask"] == "not_worn"
    assert found["000225_mask1", "gender"] == found["001498-1_mask1", "gender"] == "female"
    assert found["001009_mask1", "age"] == "young"
    assert plain["000020_normal", "mask"] == "not_worn"
    assert plain["000225_mask1", "gender"] == "male"
    assert plain["001009_mask1", "age"] == "middle"


def test_two_folders_of_one_person_stay_together(tmp_path: Path) -> None:
    """The id that stands twice is one subject with fourteen photographs, and a note tells."""
    person(tmp_path, "003397_male_Asian_19")
    person(tmp_path, "003397_male_Asian_20")
    dataset = mask_faces.read(SPEC, tmp_path)

    assert {"003397"} == {study.subject for study in dataset.studies}
    assert len({study.id for study in dataset.studies}) == 14
    assert [finding.code for finding in dataset.findings] == ["person_twice"]


def test_folds_hold_persons_together(tmp_path: Path) -> None:
    """No person has photographs in two folds, and grades are spread evenly."""
    for number in range(12):
        gender = ("male", "female")[number % 2]
        person(tmp_path, f"{number:06d}_{gender}_Asian_{(20, 40, 60)[number % 3]}")
    dataset = mask_faces.read(SPEC, tmp_path)
    folds = make_folds(dataset.labels, RUBRIC, FoldSpec(count=3, seed=0)).of()
    people, women = (
        Counter(fold for name, fold in folds.items() if int(name) % 2 or every)
        for every in (True, False)
    )

    assert {f"{number:06d}" for number in range(12)} == folds.keys()
    assert people == {0: 4, 1: 4, 2: 4}
    assert min(women[fold] for fold in range(3)) >= 1


def test_hidden_and_broken_files_are_no_photographs(tmp_path: Path) -> None:
    """Companions of files are passed over; what is no picture is told, the others are read."""
    folder = person(tmp_path, "000001_male_Asian_20")
    (folder / "._mask1.jpg").write_bytes(b"\0\5\26\7")
    (folder / "normal.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("hello")
    dataset = mask_faces.read(SPEC, tmp_path)

    assert len(dataset.studies) == 6
    assert [(one.code, one.study) for one in dataset.findings if one.severity == "refuse"] == [
        ("image_unreadable", "000001_normal")
    ]
    assert "000001_normal" not in set(dataset.labels.frame["unit"])


def test_any_folder_of_pictures_can_be_graded(tmp_path: Path) -> None:
    """Without names that tell persons each file is a study and a subject of its own."""
    write(tmp_path / "me.JPG")
    write(tmp_path / "deep" / "you.webp", size=(10, 5))
    reading = mask_faces.open_studies(SPEC, tmp_path)
    alone = mask_faces.open_studies(SPEC, tmp_path / "me.JPG")

    assert [study.id for study in reading.studies] == ["deep/you.webp", "me.JPG"]
    assert [study.subject for study in alone.studies] == ["me.JPG"]
    assert tuple(reading.studies[0].series[0].planes.size[0]) == (5, 10)


def test_pictures_without_labels_cannot_be_learnt_from(tmp_path: Path) -> None:
    """Read as a dataset, nameless pictures are refused with what to do."""
    write(tmp_path / "me.jpg")

    with pytest.raises(DatasetError, match=r"none whose name tells its labels.*grade them"):
        mask_faces.read(SPEC, tmp_path)


def test_the_table_of_persons_is_compared(tmp_path: Path) -> None:
    """Where train.csv disagrees with the folders, a note says so."""
    person(tmp_path, "000001_male_Asian_20")
    table = {"id": ["000001"], "gender": ["male"], "race": ["Asian"], "age": [21], "path": ["x"]}
    pl.DataFrame(table).write_csv(tmp_path / "train" / "train.csv")
    [finding] = mask_faces.read(SPEC, tmp_path).findings

    assert finding.code == "table_differs"


def said(chances: dict[str, list[float]]) -> Predictions:
    """What one predictor says of a photograph."""
    rows = [
        {
            "unit": "a.jpg",
            "study": "a.jpg",
            "subject": "a.jpg",
            "site": None,
            "target": target,
            "probabilities": values,
            "fold": None,
            "predictor": "ours",
            "role": "new",
        }
        for target, values in chances.items()
    ]
    return Predictions(pl.DataFrame(rows, schema=Predictions.schema))


SURE = {"mask": [0.1, 0.8, 0.1], "gender": [0.3, 0.7], "age": [0.2, 0.3, 0.5]}


def test_the_challenges_submission_has_two_columns() -> None:
    """ImageID and ans: the likeliest grade of each factor makes the number."""
    spec = mask_faces.Spec(submission="answer")
    table = mask_faces.submission(spec, said(SURE))

    assert table.columns == ["ImageID", "ans"]
    assert table.rows() == [("a.jpg", 1 * 6 + 1 * 3 + 2)]
    back = mask_faces.read_submission(spec, table, "back")
    assert back.array("mask")[1].tolist() == [[0, 1, 0]]
    assert back.array("age")[1].tolist() == [[0, 0, 1]]


def test_an_answer_that_is_no_class_is_refused(tmp_path: Path) -> None:
    """18 is no class, nor is a word; a photograph without all three answers has none."""
    for wrong in ("18", "worn"):
        table = pl.DataFrame({"ImageID": ["a.jpg"], "ans": [wrong]})
        with pytest.raises(DatasetError, match=f'found ans "{wrong}" of a.jpg, expected'):
            mask_faces.read_submission(SPEC, table, "x")
    with pytest.raises(DatasetError, match="some answers only"):
        mask_faces.submission(SPEC, said({"mask": SURE["mask"]}))


def test_forged_faces_read_as_this_dataset(tmp_path: Path) -> None:
    """Drawn persons, with the dirt of a real collection: all is read but what is broken."""
    mask_faces.forge(tmp_path / "forged", studies=2, seed=1, style="hospital")
    dataset = mask_faces.read(SPEC, tmp_path / "forged")
    shutil.rmtree(tmp_path / "forged")

    assert len(dataset.subjects) == 2
    assert len(dataset.studies) == 14
    assert dataset.labels.frame["probabilities"].null_count() == 0
    with pytest.raises(DatasetError, match="clean or hospital"):
        mask_faces.forge(tmp_path / "forged", studies=1, seed=1, style="dirty")
