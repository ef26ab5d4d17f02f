"""RSNA 2024 Lumbar Spine Degenerative Classification: 25 grades of each lumbar MR study.

Source: https://www.kaggle.com/competitions/rsna-2024-lumbar-spine-degenerative-classification
(Richards et al., RSNA and ASNR). Licence: non-commercial, by the rules of the competition; fetch
it yourself. Layout:

    train.csv                      study_id, 25 columns {condition}_{level}, empty = not graded
    train_label_coordinates.csv    marked points in px of an instance (.gz allowed)
    train_series_descriptions.csv  study_id, series_id, series_description
    train_images/{study_id}/{series_id}/{instance}.dcm

`test_images` with `test_series_descriptions.csv` are studies without labels. Tables alone (no
images) can be read as well, to plan and to score. Knows no pixels and no networks.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import polars as pl

from overread import shelf
from overread.datasets import lumbar_tables
from overread.datasets.dataset import (
    Dataset,
    DatasetError,
    find_folder,
    first_of,
    read_table,
    refuse_repeats,
)
from overread.datasets.lumbar_levels import LevelTable, read_levels
from overread.datasets.lumbar_points import corrected_points, lift_points, read_points
from overread.datasets.lumbar_rows import COLUMNS, RUBRIC, parse_row_id, row_id
from overread.datasets.lumbar_tables import labels_of
from overread.datasets.study_folders import StudyFolders
from overread.imaging import Parts, Progress, Reading
from overread.records import Finding, Keypoints, Labels, Predictions, Rubric, Study

if TYPE_CHECKING:
    from overread.phantoms.lumbar import Style

__all__ = [
    "LevelTable",
    "Spec",
    "forge",
    "labels_of",
    "open_parts",
    "open_studies",
    "parse_row_id",
    "read",
    "read_labels",
    "read_levels",
    "read_submission",
    "row_id",
    "rubric",
    "sites",
    "submission",
]

ROLES = {"Sagittal T1": "sagittal_t1", "Sagittal T2/STIR": "sagittal_t2", "Axial T2": "axial_t2"}
IMAGES = ("train_images", "test_images")


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        labels: table of grades.
        coordinates: table of marked points; "" = none.
        series: table of series descriptions, which decides roles over the headers.
        images: folder of studies.
        corrections: "published" moves 12 marked points and adds five to each of 11 studies, by
            hand, as the 3rd-place system did for its locators; see `lumbar_corrections.csv`.
    """

    labels: str = "train.csv"
    coordinates: str = "train_label_coordinates.csv"
    series: str = "train_series_descriptions.csv"
    images: str = "train_images"
    corrections: Literal["none", "published"] = "none"

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the fields that came later and change nothing at their default."""
        return frozenset({"corrections"})


def rubric(spec: Spec) -> Rubric:
    """Return 5 targets at 5 levels; weights 1, 2, 4; left and right are mirror partners."""
    del spec
    return RUBRIC


def sites(rubric: Rubric, study: Study) -> tuple[str, ...]:
    """Return the sites that a study is graded at: every level."""
    del study
    return rubric.sites


def read(spec: Spec, folder: Path, *, on_progress: Progress | None = None) -> Dataset:
    """Read studies, grades and marked points.

    A graded study without images is left out of the labels (and told) when there are images; a
    folder of tables alone gives all labels and no studies.

    Args:
        spec: settings.
        folder: with the layout above; `test_images` alone gives studies without labels.
        on_progress: called with stage, done, total.

    Raises:
        DatasetError: if the folder or a table is not as told above; names file and remedy.
    """
    find_folder(folder, holds=f"{spec.labels} and {spec.images}")
    table = first_of(folder, (spec.labels, f"{spec.labels}.gz"))
    if table is None and not any((folder / images).is_dir() for images in (spec.images, *IMAGES)):
        raise DatasetError(
            f"{folder}: found neither {spec.labels} nor {spec.images}, expected at least one; "
            "name the folder that holds them"
        )
    labels = Labels.empty() if table is None else read_labels(spec, table)
    if not (folder / spec.images).is_dir() and table is not None:
        absent = f"{folder / spec.images}: found no such folder; labels are read without images"
        return Dataset((), (Finding("images_absent", "note", absent),), labels)
    reading = open_studies(spec, folder, on_progress=on_progress)
    labels, findings = _of_studies(labels, reading.studies, table)
    points, lost = _points(spec, folder, reading.studies)
    return Dataset(reading.studies, (*reading.findings, *findings, *lost), labels, points)


def open_studies(spec: Spec, path: Path, *, on_progress: Progress | None = None) -> Reading:
    """Read studies without labels: the dataset's folder, its images, one study, or any DICOM.

    A table of series descriptions beside the images decides the roles; else the headers do. In a
    folder of another name, studies are called like their folders where those are numbers.
    """
    return _folders(spec, path).read(on_progress)


def open_parts(spec: Spec, path: Path, *, on_progress: Progress | None = None) -> Parts:
    """Read the same study by study; see `open_studies`."""
    return _folders(spec, path).parts(on_progress)


def _folders(spec: Spec, path: Path) -> StudyFolders:
    for images in (spec.images, *IMAGES):
        for place in (path / images, path, path.parent):
            if place.name == images and place.is_dir():
                start = place if place == path / images else path
                return StudyFolders(start, place, _roles(spec, place.parent, images))
    # A folder of unknown origin may be called like its patient: only numbers are taken for ids.
    return StudyFolders(path, path, _roles(spec, path, spec.images), numbers=True)


def _roles(spec: Spec, folder: Path, images: str) -> dict[str, str]:
    other = images.removesuffix("images") + "series_descriptions.csv"
    names = (spec.series,) if images == spec.images else (other, spec.series)
    table = first_of(folder, [one + end for one in names for end in ("", ".gz")])
    if table is None:
        return {}
    frame = read_table(table, ("study_id", "series_id", "series_description"))
    refuse_repeats(frame, ("study_id", "series_id"), table)
    known = frame.filter(pl.col("series_description").is_in(list(ROLES)))
    words = [ROLES[one] for one in known["series_description"]]
    return dict(zip(known["series_id"], words, strict=True))


def _points(
    spec: Spec, folder: Path, studies: tuple[Study, ...]
) -> tuple[dict[str, dict[str, Keypoints]], tuple[Finding, ...]]:
    table = first_of(folder, (spec.coordinates, f"{spec.coordinates}.gz"))
    if not spec.coordinates or table is None:
        return {}, ()
    marked = read_points(table)
    if spec.corrections == "published":
        marked = corrected_points(marked)
    return lift_points(marked, studies, table, folder / spec.images)


def read_labels(spec: Spec, path: Path) -> Labels:
    """Read train.csv alone; the subject of a study is the study.

    Args:
        spec: settings.
        path: the table, or the folder that holds it.

    Raises:
        DatasetError: for a missing column, a study twice or a grade that is none of the three.
    """
    table = path / spec.labels if path.is_dir() else path
    frame = read_table(table, ("study_id", *COLUMNS))
    refuse_repeats(frame, ("study_id",), table)
    return labels_of(frame, table)


def _of_studies(
    labels: Labels, studies: tuple[Study, ...], table: Path | None
) -> tuple[Labels, tuple[Finding, ...]]:
    """Keep the labels of these studies, under their subjects."""
    subjects = {study.id: study.subject for study in studies}
    known = labels.frame.filter(pl.col("study").is_in(list(subjects)))
    known = known.with_columns(
        subject=pl.col("study").replace_strict(subjects, return_dtype=pl.String)
    )
    unseen = sorted(set(labels.frame["study"]) - set(subjects))
    if not unseen:
        return Labels(known), ()
    message = (
        f"{table}: found {len(unseen)} graded studies without images, such as {unseen[0]}; "
        "expected a folder for each; their grades are left out; add the images or ignore this"
    )
    return Labels(known), (Finding("labels_without_images", "note", message, str(table)),)


def submission(spec: Spec, predictions: Predictions, *, complete: bool = True) -> pl.DataFrame:
    """Write predictions of one predictor as a submission; see `lumbar_tables.submission`."""
    del spec
    return lumbar_tables.submission(predictions, complete=complete)


def read_submission(spec: Spec, frame: pl.DataFrame | Path, predictor: str) -> Predictions:
    """Read a submission, a table or the path of one; see `lumbar_tables.read_submission`."""
    del spec
    return lumbar_tables.read_submission(frame, predictor)


def forge(
    folder: Path, *, studies: int, seed: int, style: str, on_progress: Progress | None = None
) -> None:
    """Forge studies in this layout; style is "clean" or "hospital" (with the dirt of exports)."""
    from overread.phantoms import forge_lumbar

    def told(done: int, total: int) -> None:
        if on_progress is not None:
            on_progress("forge", done, total)

    forge_lumbar(
        folder, num_studies=studies, seed=seed, style=cast("Style", style), on_progress=told
    )
