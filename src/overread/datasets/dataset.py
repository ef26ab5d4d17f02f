"""What reading a dataset gives, and how it says that a folder or a table is wrong.

Knows no dataset. Tables are read with every column as text and converted by name, so that a
misspelt column or a stray value is told by its name, not by a parser's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from overread.records import Finding, Keypoints, Labels, Study
from overread.shelf import nearest

__all__ = [
    "Dataset",
    "DatasetError",
    "NotForgeableError",
    "find_folder",
    "first_of",
    "read_table",
    "refuse_repeats",
]


class DatasetError(ValueError):
    """A folder or table that is not what the dataset says it is."""


class NotForgeableError(NotImplementedError):
    """A dataset that phantoms cannot imitate."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A folder, read.

    Attributes:
        studies: what there is to look at; empty when only tables were there.
        findings: what a reader of the data should know.
        labels: the truth; empty for new studies.
        keypoints: {set name: {study id: points}}: true points, in world mm.
    """

    studies: tuple[Study, ...]
    findings: tuple[Finding, ...]
    labels: Labels
    keypoints: Mapping[str, Mapping[str, Keypoints]] = field(default_factory=dict)

    @property
    def num_studies(self) -> int:
        """Number of studies; those of the labels where only tables were there."""
        return len(self.studies) or self.labels.frame["study"].n_unique()

    @property
    def subjects(self) -> tuple[str, ...]:
        """The persons, sorted: those with images and those with labels."""
        people = {study.subject for study in self.studies}
        return tuple(sorted(people | set(self.labels.frame["subject"])))


def find_folder(folder: Path, *, holds: str) -> Path:
    """Return the folder, or say what should have been there.

    Raises:
        DatasetError: if there is no such folder.
    """
    if folder.is_dir():
        return folder
    found = "a file" if folder.exists() else "nothing"
    near = sorted(one.name for one in folder.parent.iterdir()) if folder.parent.is_dir() else []
    hint = f" ({nearest(folder.name, near[:20])})" if near else ""
    raise DatasetError(
        f"{folder}: found {found}, expected a folder with {holds}; correct the path{hint}"
    )


def first_of(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the first of these files that the folder holds, or None."""
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_table(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """Read a CSV (also .gz) or .parquet as text; empty cells are null; names and cells stripped.

    Args:
        path: the file.
        columns: that it must have; others are kept.

    Raises:
        DatasetError: if the file is missing, is no table or lacks a column; the words name the
            column that comes nearest.
    """
    if not path.is_file():
        raise DatasetError(
            f"{path}: found no such file, expected a table with {_list(columns)}; check the folder"
        )
    try:
        frame = _as_text(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).splitlines()[0]
        raise DatasetError(
            f"{path}: found no readable table ({first}), expected columns {_list(columns)}; "
            "export the table again, separated by commas"
        ) from error
    frame = frame.rename({name: name.strip() for name in frame.columns})
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        hint = nearest(missing[0], frame.columns)
        raise DatasetError(
            f"{path}: found no column {_list(missing)}, expected {_list(columns)}; "
            f"rename it ({hint})"
        )
    frame = frame.with_columns(pl.all().str.strip_chars())
    return frame.with_columns(pl.when(pl.all() != "").then(pl.all()))


def _as_text(path: Path) -> pl.DataFrame:
    if path.suffix == ".parquet":
        return pl.read_parquet(path).with_columns(pl.all().cast(pl.String))
    return pl.read_csv(path, infer_schema=False)


def refuse_repeats(frame: pl.DataFrame, columns: Sequence[str], path: Path) -> None:
    """Refuse a table in which a key stands twice.

    Raises:
        DatasetError: naming the first key that repeats.
    """
    repeated = frame.filter(frame.select(columns).is_duplicated())
    if len(repeated):
        key = ", ".join(str(value) for value in repeated.select(columns).row(0))
        raise DatasetError(
            f"{path}: found {len(repeated)} rows that repeat, such as {key}; expected one row for "
            f"each {' + '.join(columns)}; keep the right one and delete the others"
        )


def _list(names: Sequence[str]) -> str:
    shown = list(names[:6])
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(shown) + more
