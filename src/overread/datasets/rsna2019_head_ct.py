"""RSNA 2019 Intracranial Hemorrhage Detection: six labels of each slice of a head CT.

Source: https://www.kaggle.com/competitions/rsna-intracranial-hemorrhage-detection (Flanders et
al., Radiology: Artificial Intelligence 2(3):e190211, 2020; RSNA and ASNR). Licence:
non-commercial, by the rules of the competition; fetch it yourself. Layout:

    stage_2_train.csv               ID ("ID_{slice}_{target}"), Label; six rows a slice
    stage_2_train/ID_{slice}.dcm    all slices of all patients in one folder
    stage_2_test/ID_{slice}.dcm     the same, without labels

A unit is a slice, called by its SOPInstanceUID; its site tells series and place ("1/0012": the
twelfth from the feet); its subject is the patient. Which slices make a scan, and their order, is
told by the headers: by geometry, since there are no instance numbers. Tables alone can be read to
plan and to score: labels (also one column a target), and a table of header tags that tells
patients and order. Knows no pixels and no networks.
"""

from pathlib import Path
from typing import Literal

import polars as pl

from overread import shelf
from overread.datasets import head_ct_tables
from overread.datasets.dataset import Dataset, DatasetError, find_folder, first_of
from overread.datasets.head_ct_headers import read_headers
from overread.datasets.head_ct_tables import derive_any, labels_of, read_labels_table, rubric_of
from overread.imaging import Parts, Progress, Reading, read_parts, read_studies, scan_slices
from overread.records import Finding, Labels, Predictions, Rubric, Study

__all__ = [
    "Spec",
    "forge",
    "open_parts",
    "open_studies",
    "read",
    "read_labels",
    "read_submission",
    "rubric",
    "sites",
    "submission",
]

IMAGES = ("stage_2_train", "stage_2_train_images", "stage_2_test", "stage_2_test_images")
ENDINGS = ("", ".gz")


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        labels: table of labels.
        images: folder of slices; any layout below it, and any names.
        headers: table of header tags, read when there are no images; "" = none.
        any: whether "any" is a target that networks learn, or the maximum of the five bleeds.
        left_out: slices whose labels are not used: the one file of the archive whose pixels are
            broken.
    """

    labels: str = "stage_2_train.csv"
    images: str = "stage_2_train"
    headers: str = "headers.csv"
    any: Literal["learnt", "max"] = "learnt"
    left_out: tuple[str, ...] = ("ID_6431af929",)


def rubric(spec: Spec) -> Rubric:
    """Return "any", which counts twice, and five bleeds; "any" may be derived from them."""
    return rubric_of(learnt=spec.any == "learnt")


def sites(rubric: Rubric, study: Study) -> tuple[str, ...]:
    """Return the places of the slices that are graded, series by series from the feet."""
    del rubric
    return tuple(scan_slices([study])["site"])


def read(spec: Spec, folder: Path, *, on_progress: Progress | None = None) -> Dataset:
    """Read scans and labels; slices without labels, or a folder without, are data to grade.

    Args:
        spec: settings.
        folder: with the layout above; images alone give scans without labels, tables alone give
            labels without scans.
        on_progress: called with stage, done, total.

    Raises:
        DatasetError: if the folder or a table is not as told above; names file and remedy.
    """
    find_folder(folder, holds=f"{spec.labels} and {spec.images}")
    table = _labels_table(spec, folder)
    images = _images(spec, folder)
    if table is None and images is None:
        raise DatasetError(
            f"{folder}: found neither {spec.labels} nor {spec.images}, expected at least one; "
            "name the folder that holds them"
        )
    if images is None:
        labels, findings = _from_tables(spec, folder)
        absent = f"{folder / spec.images}: found no such folder; labels are read without images"
        return Dataset((), (Finding("images_absent", "note", absent), *findings), labels)
    reading = open_studies(spec, folder, on_progress=on_progress)
    if table is None:
        return Dataset(reading.studies, reading.findings, Labels.empty())
    values, odd = read_labels_table(table)
    values, broken = _without_broken(spec, values, table)
    slices = scan_slices(reading.studies)
    known = values.join(slices, on="unit", how="semi")
    findings = (*odd, *broken, *_unmatched(known, values, slices, table))
    return Dataset(reading.studies, (*reading.findings, *findings), labels_of(known, slices))


def open_studies(spec: Spec, path: Path, *, on_progress: Progress | None = None) -> Reading:
    """Read scans without labels: the dataset's folder, its images, one scan, or any DICOM."""
    return read_studies(_place(spec, path), on_progress=on_progress)


def open_parts(spec: Spec, path: Path, *, on_progress: Progress | None = None) -> Parts:
    """Read the same scan by scan; see `open_studies`."""
    return read_parts(_place(spec, path), on_progress=on_progress)


def _place(spec: Spec, path: Path) -> Path:
    return (_images(spec, path) if path.is_dir() else None) or path


def read_labels(spec: Spec, path: Path) -> Labels:
    """Read the labels alone.

    Args:
        spec: settings.
        path: the table (each slice is then a subject of its own), or the folder that holds it;
            a table of headers beside it tells patients and order.

    Raises:
        DatasetError: if a table is not as told above.
    """
    if path.is_dir():
        return _from_tables(spec, path)[0]
    values, _ = read_labels_table(path)
    return labels_of(_without_broken(spec, values, path)[0])


def submission(spec: Spec, predictions: Predictions, *, complete: bool = True) -> pl.DataFrame:
    """Write predictions of one predictor as a submission; see `head_ct_tables.submission`."""
    said = derive_any(predictions) if spec.any == "max" else predictions
    return head_ct_tables.submission(said, complete=complete)


def read_submission(spec: Spec, frame: pl.DataFrame | Path, predictor: str) -> Predictions:
    """Read a submission, a table or the path of one; see `head_ct_tables.read_submission`."""
    del spec
    return head_ct_tables.read_submission(frame, predictor)


def forge(
    folder: Path,
    *,
    studies: int,
    seed: int,
    style: str,
    pixels: int = 256,
    on_progress: Progress | None = None,
) -> None:
    """Forge scans in this layout; style is "clean" or "hospital" (with the dirt of archives).

    Slices have `pixels` rows and columns; scanners give 512.
    """
    from overread.phantoms import forge_head_ct

    def told(done: int, total: int) -> None:
        if on_progress is not None:
            on_progress("forge", done, total)

    forge_head_ct(
        folder, num_studies=studies, seed=seed, style=style, pixels=pixels, on_progress=told
    )


def _labels_table(spec: Spec, folder: Path) -> Path | None:
    return first_of(folder, [spec.labels + end for end in ENDINGS])


def _images(spec: Spec, folder: Path) -> Path | None:
    """Return the folder of slices, or None where there is none and no file that may be one."""
    for name in (spec.images, *IMAGES):
        if (folder / name).is_dir():
            return folder / name
    if _labels_table(spec, folder) is None and any(folder.glob("*.dcm")):
        return folder
    return None


def _from_tables(spec: Spec, folder: Path) -> tuple[Labels, tuple[Finding, ...]]:
    table = _labels_table(spec, folder) or folder / spec.labels
    values, odd = read_labels_table(table)
    values, broken = _without_broken(spec, values, table)
    headers = first_of(folder, [spec.headers + end for end in ENDINGS]) if spec.headers else None
    slices, strange = (None, ()) if headers is None else read_headers(headers)
    units = values.select("unit").unique()
    alone = units if slices is None else units.join(slices, on="unit", how="anti")
    if len(alone):
        first = alone["unit"].sort()[0]
        message = (
            f"{table}: found {len(alone)} slices without headers, such as {first}; "
            "each counts as a patient of its own, so folds and intervals are not by patient; "
            f"add their tags to {spec.headers or 'a table of headers'}"
        )
        strange = (*strange, Finding("subjects_unknown", "note", message, str(table)))
    return labels_of(values, slices), (*odd, *broken, *strange)


def _without_broken(
    spec: Spec, values: pl.DataFrame, table: Path
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    kept = values.filter(~pl.col("unit").is_in(spec.left_out))
    if len(kept) == len(values):
        return values, ()
    message = (
        f"{table.name}: labels of {', '.join(spec.left_out)} are left out, as set; the published "
        "file has no readable pixels; empty left_out to use them"
    )
    return kept, (Finding("labels_left_out", "note", message, str(table)),)


def _unmatched(
    known: pl.DataFrame, values: pl.DataFrame, slices: pl.DataFrame, table: Path
) -> tuple[Finding, ...]:
    """Tell labels without a slice and slices without a label."""
    unseen = values.select("unit").unique().join(slices, on="unit", how="anti")
    blank = slices.join(known, on="unit", how="anti")
    findings = []
    if len(unseen):
        message = (
            f"{table}: found {len(unseen)} labelled slices without a readable image, such as "
            f"{unseen['unit'].sort()[0]}; their labels are left out; add the images or ignore this"
        )
        findings.append(Finding("labels_without_images", "note", message, str(table)))
    if len(blank):
        message = (
            f"{table}: found no label for {len(blank)} slices, such as {blank['unit'].sort()[0]}; "
            "they are graded but not learnt from; add the labels or ignore this"
        )
        findings.append(Finding("images_without_labels", "note", message, str(table)))
    return tuple(findings)
