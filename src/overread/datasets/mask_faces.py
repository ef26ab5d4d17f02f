"""Faces with and without masks: is the mask worn, the gender, the age; 18 classes of all three.

Source: the mask-status challenge of boostcamp AI Tech 3 (2022) as the published system
https://github.com/boostcampaitech3/level1-image-classification-level1-recsys-08 describes it. The
photographs are not public and have no open licence; `overread forge faces` draws faces, or lays
masks over photographs of your own, in the same layout:

    train/images/{id}_{gender}_{race}_{age}/{mask1 ... mask5, incorrect_mask, normal}.{jpg, png ...}
    train/train.csv                          id, gender, race, age, path; only compared
    eval/info.csv, eval/images/{ImageID}     photographs to answer

A photograph is a study, the person its subject: folds hold a person's photographs together.
Labels come from the names. To grade, any folder of pictures will do.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from overread import shelf
from overread.datasets.dataset import Dataset, DatasetError, find_folder
from overread.datasets.faces_labels import RUBRIC, photo_labels, repaired
from overread.datasets.faces_layout import Photo, find_photos
from overread.datasets.faces_tables import answers, compare_persons, read_answers
from overread.imaging import PhotoError, Progress, Reading, image_size
from overread.records import (
    Finding,
    Frame,
    Labels,
    Planes,
    Predictions,
    Rubric,
    Series,
    Stack,
    Study,
)

__all__ = [
    "Spec",
    "forge",
    "open_studies",
    "read",
    "read_labels",
    "read_submission",
    "rubric",
    "sites",
    "submission",
]

ROLE = "photo"
HOLDS = "train/images/{id}_{gender}_{race}_{age}/{mask1 ... normal}.jpg"


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        old_from: age in years from which a person is old: 60 in the challenge; the published
            system trained with 58 or 59, since few people are older.
        repairs: correct the labels that the published system found wrong.
        submission: columns of a submission: the "answer" alone, as the challenge takes it, or also
            the "probabilities" behind it.
    """

    old_from: Literal[58, 59, 60] = 60
    repairs: bool = True
    submission: Literal["answer", "probabilities"] = "probabilities"


def rubric(spec: Spec) -> Rubric:
    """Return mask, gender and age; their combination is the class."""
    del spec
    return RUBRIC


def sites(rubric: Rubric, study: Study) -> tuple[str, ...]:
    """Return no site: a photograph is graded as a whole."""
    del rubric, study
    return ()


def read(spec: Spec, folder: Path, *, on_progress: Progress | None = None) -> Dataset:
    """Read photographs and the labels that their names tell.

    Args:
        spec: settings.
        folder: with the layout above.
        on_progress: called with stage, done, total.

    Raises:
        DatasetError: if there is no photograph, or none whose name tells its labels.
    """
    photos, findings = _photos(folder)
    told = [photo for photo in photos if photo.look is not None]
    if not told:
        raise DatasetError(
            f"{folder}: found {len(photos)} photographs but none whose name tells its labels, "
            f"expected {HOLDS}; rename them, or grade them with a bundle"
        )
    known = {photo.study: repaired(photo) if spec.repairs else photo for photo in told}
    reading = _reading(told, on_progress)
    readable = [known[study.id] for study in reading.studies]
    labels = photo_labels(readable, old_from=spec.old_from)
    more = compare_persons(folder, told)
    return Dataset(reading.studies, (*findings, *more, *reading.findings), labels)


def read_labels(spec: Spec, path: Path) -> Labels:
    """Read the labels that names tell, of a folder of the layout; pictures are not opened.

    Raises:
        DatasetError: if there is no photograph.
    """
    photos, _ = _photos(path)
    fixed = [repaired(photo) if spec.repairs else photo for photo in photos]
    return photo_labels(fixed, old_from=spec.old_from)


def submission(spec: Spec, predictions: Predictions) -> pl.DataFrame:
    """Write predictions of one predictor as a submission: ImageID, ans and more; see `Spec`."""
    return answers(predictions, probabilities=spec.submission == "probabilities")


def read_submission(spec: Spec, frame: pl.DataFrame | Path, predictor: str) -> Predictions:
    """Read such a table, or the path of one."""
    del spec
    return read_answers(frame, predictor)


def open_studies(spec: Spec, path: Path, *, on_progress: Progress | None = None) -> Reading:
    """Read photographs without labels: this layout, any folder of pictures, or one picture.

    Raises:
        DatasetError: if there is no picture.
    """
    del spec
    photos, findings = _photos(path)
    reading = _reading(photos, on_progress)
    return Reading(reading.studies, (*findings, *reading.findings))


def forge(
    folder: Path,
    *,
    studies: int,
    seed: int,
    style: str,
    photos: Path | None = None,
    on_progress: Progress | None = None,
) -> None:
    """Draw faces, or lay masks over photographs; see `phantoms.forge_faces`.

    Args:
        folder: a new folder, in the layout above.
        studies: persons.
        seed: of all chance.
        style: "clean", or "hospital" with the dirt of a real collection.
        photos: folder of photographs with a table of gender and age band.
        on_progress: called with stage, done, total.
    """
    if style not in ("clean", "hospital"):
        raise DatasetError(f'found style "{style}", expected clean or hospital; choose one')

    from overread.phantoms import forge_faces

    def tell(done: int, total: int) -> None:
        if on_progress is not None:
            on_progress("forge", done, total)

    forge_faces(
        folder,
        num_people=studies,
        seed=seed,
        style="clean" if style == "clean" else "hospital",
        photos=photos,
        on_progress=tell,
    )


def _photos(folder: Path) -> tuple[tuple[Photo, ...], tuple[Finding, ...]]:
    if not folder.is_file():
        find_folder(folder, holds=HOLDS)
    photos, findings = find_photos(folder)
    if not photos:
        raise DatasetError(
            f"{folder}: found no picture, expected {HOLDS}, or any pictures to grade; "
            "name the folder that holds them"
        )
    return photos, findings


def _reading(photos: Sequence[Photo], on_progress: Progress | None) -> Reading:
    studies: list[Study] = []
    findings: list[Finding] = []
    for done, photo in enumerate(photos, start=1):
        try:
            studies.append(_study(photo))
        except PhotoError as error:
            findings.append(_unreadable(photo, error.why))
        if on_progress is not None:
            on_progress("read", done, len(photos))
    return Reading(tuple(studies), tuple(findings))


def _study(photo: Photo) -> Study:
    planes = Planes.of_images([image_size(photo.path)])
    series = Series(
        id="photo",
        uid=photo.study,
        stacks=(Stack((Frame(photo.path, photo.study),), planes, ROLE),),
        role=ROLE,
        role_confidence=1.0,
        role_reason="by the kind of the file",
        modality="PHOTO",
    )
    return Study(photo.study, photo.study, photo.person, (series,))


def _unreadable(photo: Photo, why: str) -> Finding:
    return Finding(
        "image_unreadable",
        "refuse",
        f"{photo.study}: {why}; it is left out; save it again",
        photo.study,
        photo.study,
    )
