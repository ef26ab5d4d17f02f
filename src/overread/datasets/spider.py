"""SPIDER: mid-sagittal lumbar MR images with Pfirrmann grade, narrowing and bulging of each disc.

Source: van der Graaf et al., "Lumbar spine segmentation in MR images: a dataset and a public
benchmark", Scientific Data 11:264 (2024), https://doi.org/10.5281/zenodo.10159290; CC BY 4.0. The
layout is that of a copy with one slice of each image, as 8-bit PNG:

    midsagittal/{patient}_{t1 | t2 | t2_SPACE}.png
    radiological_gradings.csv      Patient, IVD label (1 = lowest disc, upwards), ...
    overview.csv                   new_file_name, PixelSpacing "[row, column]" in mm
    t2_space_images/{patient}_t2_SPACE_slice{n}.png
    t2_space_masks/ ...            the same names; grey 29 = disc, 76 = vertebra, 150 = canal

Without the table of gradings the images alone are read, to grade them. Each image lies in a frame
of its own: row 0, column 0 is (0, 0, 0) mm, columns run to the back, rows to the feet. Points of
one image do not hold for another of the same patient, unless it is a slice of the same scan.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from overread import shelf
from overread.datasets.dataset import (
    Dataset,
    DatasetError,
    NotForgeableError,
    find_folder,
    read_table,
)
from overread.datasets.long_tables import read_long, write_long
from overread.datasets.spider_images import Picture, find_pictures, lift_masks, to_stack
from overread.datasets.spider_labels import RUBRIC, read_gradings
from overread.imaging import Progress, Reading
from overread.records import Finding, Keypoints, Labels, Predictions, Rubric, Series, Study

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

TABLE = "radiological_gradings.csv"


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        study: what is one study: all images of a "patient", or each "image" (its subject is the
            patient either way, so that folds hold patients together).
        masked: also read the slices that have masks, as role "sagittal_t2_space_masked".
        assumed_spacing: mm a pixel for images that overview.csv does not know; the median of the
            dataset. Such images are told in the findings.
    """

    study: Literal["patient", "image"] = "patient"
    masked: bool = True
    assumed_spacing: float = 0.625


def rubric(spec: Spec) -> Rubric:
    """Return Pfirrmann grade, narrowing and bulging of up to nine discs, the lowest first."""
    del spec
    return RUBRIC


def sites(rubric: Rubric, study: Study) -> tuple[str, ...]:
    """Return the sites that a study may be graded at; how many discs show is for a locator."""
    del study
    return rubric.sites


def read(spec: Spec, folder: Path, *, on_progress: Progress | None = None) -> Dataset:
    """Read images, gradings (if there are any) and the points that masks give.

    Points: set "discs", middles with front and back ends, named disc1 ... upwards, of the
    studies with a masked slice.

    Args:
        spec: settings.
        folder: with the layout above.
        on_progress: called with stage, done, total.

    Raises:
        DatasetError: if there is no image, or a table is not as told above.
    """
    pictures, named = _pictures(spec, folder)
    spacings = _overview(folder)
    reading = _reading(spec, pictures, spacings, on_progress)
    table = folder / TABLE
    labels = Labels.empty()
    findings = [*named, *reading.findings]
    if table.is_file():
        labels, unseen = read_gradings(table, reading.studies)
        findings += unseen
    points, poor = lift_masks(pictures, spacings, spec.assumed_spacing)
    keypoints: dict[str, dict[str, Keypoints]] = defaultdict(dict)
    for picture, sets in points.items():
        for name, found in sets.items():
            keypoints[name][_study_of(spec, picture)] = found
    return Dataset(reading.studies, (*findings, *poor), labels, dict(keypoints))


def read_labels(spec: Spec, path: Path) -> Labels:
    """Read the gradings alone (the table, or the folder that holds it); a patient is a study.

    Raises:
        DatasetError: if the table is not as told above.
    """
    del spec
    return read_gradings(path / TABLE if path.is_dir() else path, None)[0]


def submission(spec: Spec, predictions: Predictions, *, complete: bool = True) -> pl.DataFrame:
    """Write predictions of one predictor as a table with a row a grade; see `long_tables`.

    Images differ in the discs that they show, so that any table is a complete one.
    """
    del spec, complete
    return write_long(RUBRIC, predictions)


def read_submission(spec: Spec, frame: pl.DataFrame | Path, predictor: str) -> Predictions:
    """Read such a table, or the path of one; see `long_tables`."""
    del spec
    return read_long(RUBRIC, frame, predictor)


def open_studies(spec: Spec, path: Path, *, on_progress: Progress | None = None) -> Reading:
    """Read images without labels: this layout, or any folder of {patient}_{t1|t2|t2_SPACE}.png."""
    pictures, named = _pictures(spec, path)
    reading = _reading(spec, pictures, _overview(path), on_progress)
    return Reading(reading.studies, (*named, *reading.findings))


def _pictures(spec: Spec, folder: Path) -> tuple[tuple[Picture, ...], tuple[Finding, ...]]:
    if not folder.is_file():
        find_folder(folder, holds="midsagittal/{patient}_{t1|t2|t2_SPACE}.png")
    pictures, findings = find_pictures(folder, masked=spec.masked)
    if not pictures:
        raise DatasetError(
            f"{folder}: found no image, expected midsagittal/{{patient}}_{{t1|t2|t2_SPACE}}.png; "
            "name the folder that holds midsagittal, or rename the images"
        )
    return pictures, findings


def _reading(
    spec: Spec,
    pictures: Sequence[Picture],
    spacings: Mapping[str, str | None],
    on_progress: Progress | None,
) -> Reading:
    grouped: dict[str, list[Series]] = defaultdict(list)
    patients: dict[str, str] = {}
    findings: list[Finding] = []
    for done, picture in enumerate(pictures, start=1):
        series, told = _series(spec, picture, spacings)
        findings += told
        if series is not None:
            grouped[_study_of(spec, picture)].append(series)
            patients[_study_of(spec, picture)] = picture.patient
        if on_progress is not None:
            on_progress("read", done, len(pictures))
    studies = tuple(Study(name, name, patients[name], tuple(grouped[name])) for name in grouped)
    return Reading(studies, tuple(findings))


def _study_of(spec: Spec, picture: Picture) -> str:
    return picture.patient if spec.study == "patient" else picture.path.stem


def _overview(folder: Path) -> Mapping[str, str | None]:
    for place in (folder, folder.parent, folder.parent.parent):
        table = place / "overview.csv"
        if table.is_file():
            frame = read_table(table, ("new_file_name", "PixelSpacing"))
            return dict(frame.select("new_file_name", "PixelSpacing").iter_rows())
    return {}


def _series(
    spec: Spec, picture: Picture, spacings: Mapping[str, str | None]
) -> tuple[Series | None, Sequence[Finding]]:
    spacing, findings = picture.spacing(spacings, spec.assumed_spacing)
    stack, broken = to_stack(picture, spacing)
    if stack is None:
        return None, broken
    name = picture.path.stem
    series = Series(
        id=name,
        uid=name,
        stacks=(stack,),
        role=picture.role,
        role_confidence=1.0,
        role_reason="by the name of the file",
        modality="MR",
        description=picture.scan,
    )
    return series, findings


def forge(
    folder: Path, *, studies: int, seed: int, style: str, on_progress: Progress | None = None
) -> None:
    """Refuse: phantoms have no Pfirrmann grades.

    Raises:
        NotForgeableError: always.
    """
    del folder, studies, seed, style, on_progress
    raise NotForgeableError(
        "spider cannot be forged: phantoms have no Pfirrmann grades; use rsna2024_lumbar for a demo"
    )
