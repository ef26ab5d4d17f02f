"""Lumbar Coordinate Pretraining Dataset: disc levels marked on sagittal slices of other archives.

Source: https://www.kaggle.com/datasets/brendanartley/lumbar-coordinate-pretraining-dataset
(Brendan Artley, 2024). Licence: that of each archive it was made from; fetch it yourself. Layout:

    coords_pretrain.csv                   filename, source, x, y, level; x and y in px
    data/processed_{source}_jpgs/{filename}

Sources lsd and spider are read as sagittal T2, osf as sagittal T1; tseg is CT and is left out. The
pictures have no place and no pixel size. Nothing is graded: this is for locators to learn from,
beside a dataset whose rubric it borrows. Knows no networks.
"""

from pathlib import Path

import polars as pl

from overread import shelf
from overread.datasets import lumbar_tables
from overread.datasets.dataset import (
    Dataset,
    DatasetError,
    NotForgeableError,
    find_folder,
    read_table,
    refuse_repeats,
)
from overread.datasets.lumbar_rows import LEVELS, RUBRIC
from overread.imaging import PhotoError, Progress, Reading, image_size
from overread.records import (
    Finding,
    Frame,
    Keypoints,
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

ROLES = {"lsd": "sagittal_t2", "spider": "sagittal_t2", "osf": "sagittal_t1"}
COLUMNS = ("filename", "source", "x", "y", "level")


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        table: of marked points.
        images: folder of a source's pictures.
        complete: only pictures on which all five levels are marked.
    """

    table: str = "coords_pretrain.csv"
    images: str = "data/processed_{source}_jpgs"
    complete: bool = True


def rubric(spec: Spec) -> Rubric:
    """Return the rubric of the lumbar challenge, of which nothing is answered here."""
    del spec
    return RUBRIC


def sites(rubric: Rubric, study: Study) -> tuple[str, ...]:
    """Return the sites that a study could be graded at: every level."""
    del study
    return rubric.sites


def read(spec: Spec, folder: Path, *, on_progress: Progress | None = None) -> Dataset:
    """Read pictures and their points, set "discs"; a picture is a study of its own.

    Raises:
        DatasetError: if the table is missing or not as told above.
    """
    find_folder(folder, holds=f"{spec.table} and {spec.images}")
    rows = _marked(spec, folder / spec.table)
    studies: list[Study] = []
    findings: list[Finding] = []
    points: dict[str, Keypoints] = {}
    pictures = rows.partition_by("source", "filename", maintain_order=True)
    for done, marked in enumerate(pictures, start=1):
        source, name = marked.row(0)[:2]
        path = folder / spec.images.format(source=source) / name
        try:
            study = _study(path, source)
        except (OSError, PhotoError) as error:
            why = f"{path}: cannot be read ({error}); it is left out"
            findings.append(Finding("image_unreadable", "note", why, str(path)))
            continue
        studies.append(study)
        plane = study.series[0].stacks[0].planes
        points[study.id] = Keypoints.of(
            {
                level: plane.to_world([0], [[x, y]])[0].tolist()
                for level, x, y in marked.select("level", "x", "y").iter_rows()
            }
        )
        if on_progress is not None:
            on_progress("read", done, len(pictures))
    return Dataset(tuple(studies), tuple(findings), Labels.empty(), {"discs": points})


def _marked(spec: Spec, path: Path) -> pl.DataFrame:
    frame = read_table(path, COLUMNS).select(COLUMNS).filter(pl.col("source").is_in(list(ROLES)))
    frame = frame.with_columns(
        level=pl.col("level").str.to_uppercase().str.replace("_", "/"),
        x=pl.col("x").cast(pl.Float64, strict=False),
        y=pl.col("y").cast(pl.Float64, strict=False),
    )
    bad = frame.filter(~pl.col("level").is_in(LEVELS) | pl.any_horizontal(pl.all().is_null()))
    if len(bad):
        raise DatasetError(
            f"{path}: found {len(bad)} rows without level, x or y, such as {bad['filename'][0]}; "
            f"expected a level among {', '.join(LEVELS)} and px; correct or delete them"
        )
    refuse_repeats(frame, ("source", "filename", "level"), path)
    if spec.complete:
        frame = frame.filter(pl.len().over("source", "filename") == len(LEVELS))
    return frame.select("source", "filename", "level", "x", "y")


def _study(path: Path, source: str) -> Study:
    name, role = f"{source}-{path.stem}", ROLES[source]
    stack = Stack((Frame(path, path.name),), Planes.of_images([image_size(path)]), role)
    series = Series(
        id=name,
        uid=name,
        stacks=(stack,),
        role=role,
        role_confidence=1.0,
        role_reason="by its source",
        modality="MR",
        description=source,
    )
    return Study(name, name, name, (series,))


def open_studies(spec: Spec, path: Path, *, on_progress: Progress | None = None) -> Reading:
    """Read the pictures that the table names."""
    dataset = read(spec, path, on_progress=on_progress)
    return Reading(dataset.studies, dataset.findings)


def read_labels(spec: Spec, path: Path) -> Labels:
    """Return no labels: nothing is graded."""
    del spec, path
    return Labels.empty()


def submission(spec: Spec, predictions: Predictions, *, complete: bool = True) -> pl.DataFrame:
    """Write predictions as the lumbar challenge does."""
    del spec
    return lumbar_tables.submission(predictions, complete=complete)


def read_submission(spec: Spec, frame: pl.DataFrame | Path, predictor: str) -> Predictions:
    """Read a submission of the lumbar challenge."""
    del spec
    return lumbar_tables.read_submission(frame, predictor)


def forge(
    folder: Path, *, studies: int, seed: int, style: str, on_progress: Progress | None = None
) -> None:
    """Refuse: these are pictures of other archives.

    Raises:
        NotForgeableError: always.
    """
    del folder, studies, seed, style, on_progress
    raise NotForgeableError(
        "lumbar_coordinates cannot be forged: it is a table of other archives' pictures; "
        "use rsna2024_lumbar for a demo"
    )
