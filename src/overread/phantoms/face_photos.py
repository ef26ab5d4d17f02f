"""Real photographs that masks are laid over: a folder with a table of gender and age band.

The layout is that of FairFace (https://github.com/joojs/fairface, CC BY 4.0): aligned face
photographs and a CSV with the columns file, age, gender and, if known, race. Spreadsheets turn age
bands into dates ("3-9" into "03-Sep", "10-19" into "Oct-19"); they are turned back.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

__all__ = ["PhotoOf", "PhotoTableError", "age_of_band", "photos_of"]

COLUMNS = ("file", "age", "gender")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
GENDERS = {"male": "male", "m": "male", "female": "female", "f": "female"}
OPEN_BAND = re.compile(r"^(?:more than (\d+)|(\d+)\+)$")
BAND = re.compile(r"^(\w+)-(\w+)$")
ABOVE_OPEN = 5  # years above the start of a band without an end


class PhotoTableError(ValueError):
    """A folder of photographs, or its table, that cannot be used."""


@dataclass(frozen=True)
class PhotoOf:
    """A photograph and whom it shows.

    Attributes:
        path: of the picture.
        name: as the table calls it.
        gender: "male" or "female".
        age: the middle of the age band, in years.
        race: as told; "unknown" otherwise.
    """

    path: Path
    name: str
    gender: str
    age: int
    race: str


def age_of_band(band: str) -> int:
    """Return the middle of an age band, in years.

    Example:
        >>> [age_of_band(band) for band in ("20-29", "03-Sep", "Oct-19", "more than 70")]
        [24, 6, 14, 75]

    Raises:
        PhotoTableError: if it is no band.
    """
    if above := OPEN_BAND.match(band):
        return int(above[1] or above[2]) + ABOVE_OPEN
    ends = BAND.match(band)
    low, high = (_number(end) for end in ends.groups()) if ends else (None, None)
    if low is None or high is None or low > high:
        raise PhotoTableError(
            f'found age "{band}", expected a band such as 20-29 or "more than 70"; correct it'
        )
    return (low + high) // 2


def _number(end: str) -> int | None:
    if end.isdecimal():
        return int(end)
    return MONTHS.index(end) + 1 if end in MONTHS else None


def photos_of(folder: Path, count: int, *, seed: int) -> list[PhotoOf]:
    """Return so many photographs, chosen by chance; those of a smaller count come first.

    Raises:
        PhotoTableError: if there is no table, or it names too few photographs that are there.
    """
    path, table = _table(folder)
    rows = table.unique("file", keep="first", maintain_order=True).sort("file")
    there = [row for row in rows.iter_rows(named=True) if (folder / row["file"]).is_file()]
    if len(there) < count:
        raise PhotoTableError(
            f"{path}: found {len(there)} photographs that are there, expected {count}; "
            "ask for fewer, or add photographs"
        )
    order = np.random.default_rng([seed, 0xFACE]).permutation(len(there))
    return [_photo(folder, there[place], path) for place in order[:count]]


def _table(folder: Path) -> tuple[Path, pl.DataFrame]:
    places = [
        folder / "labels.csv",
        *sorted(folder.glob("*.csv")),
        *sorted(folder.glob("*.csv.gz")),
    ]
    for path in places:
        if path.is_file():
            table = pl.read_csv(path, infer_schema=False)
            if set(COLUMNS) <= set(table.columns):
                return path, table.drop_nulls(COLUMNS)
    raise PhotoTableError(
        f"{folder}: found no table of photographs, expected a CSV with the columns "
        f"{', '.join(COLUMNS)}; add one, or name the folder that holds it"
    )


def _photo(folder: Path, row: dict[str, str], table: Path) -> PhotoOf:
    gender = GENDERS.get(row["gender"].strip().lower())
    if gender is None:
        raise PhotoTableError(
            f'{table}: found gender "{row["gender"]}" of {row["file"]}, expected Male or Female; '
            "correct it, or leave the row out"
        )
    try:
        age = age_of_band(row["age"].strip())
    except PhotoTableError as error:
        raise PhotoTableError(f"{table}, {row['file']}: {error}") from None
    race = re.sub(r"[^A-Za-z]+", "-", row.get("race") or "").strip("-") or "unknown"
    return PhotoOf(folder / row["file"], row["file"], gender, age, race)
