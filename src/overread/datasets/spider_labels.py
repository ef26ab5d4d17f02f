"""The gradings of the SPIDER copy, and what they ask.

`IVD label` 1 is the lowest disc, counted upwards; the table holds one row a patient and disc.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from overread.datasets.dataset import DatasetError, read_table, refuse_repeats
from overread.records import Finding, Labels, Rubric, Study, Target

__all__ = ["RUBRIC", "read_gradings"]

NUM_DISCS = 9
YES_NO = ("no", "yes")
RUBRIC = Rubric(
    "spider",
    "site",
    (
        Target("pfirrmann", ("1", "2", "3", "4", "5"), (1.0,) * 5, title="Pfirrmann grade"),
        Target("narrowing", YES_NO, (1.0, 1.0), "binary", title="Disc narrowing"),
        Target("bulging", YES_NO, (1.0, 1.0), "binary", title="Disc bulging"),
    ),
    tuple(f"disc{number}" for number in range(1, NUM_DISCS + 1)),
)
# Column of the table (spelt as there) -> target, and the number that its first grade is written as.
COLUMNS = {
    "Pfirrman grade": ("pfirrmann", 1),
    "Disc narrowing": ("narrowing", 0),
    "Disc bulging": ("bulging", 0),
}


def read_gradings(
    path: Path, studies: Sequence[Study] | None
) -> tuple[Labels, tuple[Finding, ...]]:
    """Read the gradings of patients who have images.

    Without a list of studies every patient is taken, as a study of the patient's number.
    With several studies a patient (one an image) each study has the patient's grades.

    Raises:
        DatasetError: for a missing column, a disc twice, or a grade or disc that cannot be.
    """
    frame = read_table(path, ("Patient", "IVD label", *COLUMNS))
    refuse_repeats(frame, ("Patient", "IVD label"), path)
    named: dict[str, list[str]] = defaultdict(list)
    if studies is None:
        named |= {patient: [patient] for patient in frame["Patient"].unique().to_list()}
    for study in studies or ():
        named[study.subject].append(study.id)
    rows = [
        row
        for record in frame.iter_rows(named=True)
        for study in named.get(record["Patient"], ())
        for row in _rows(record, study, path)
    ]
    unseen = sorted(set(frame["Patient"]) - set(named), key=str)
    table = pl.DataFrame(rows, schema=Labels.schema) if rows else Labels.empty().frame
    return Labels(table), _unseen(unseen, path)


def _rows(record: dict[str, str | None], study: str, path: Path) -> list[dict[str, object]]:
    where = f"patient {record['Patient']}, disc {record['IVD label']}"
    site = f"disc{_number(record['IVD label'], 1, NUM_DISCS, f'{path}: IVD label of {where}')}"
    rows: list[dict[str, object]] = []
    for column, (name, first) in COLUMNS.items():
        grades = len(RUBRIC.target(name).grades)
        text = record[column]
        chances = None
        if text is not None:
            grade = _number(text, first, first + grades - 1, f"{path}: {column} of {where}")
            chances = np.eye(grades)[grade - first].tolist()
        rows.append(
            {
                "unit": RUBRIC.unit_id(study, site),
                "study": study,
                "subject": record["Patient"],
                "site": site,
                "target": name,
                "probabilities": chances,
                "weight": 1.0,
                "origin": "truth",
            }
        )
    return rows


def _number(text: str | None, low: int, high: int, where: str) -> int:
    # Spreadsheets write whole numbers as "3.0" when a column has gaps.
    digits = (text or "").removesuffix(".0")
    if digits.isdigit() and low <= int(digits) <= high:
        return int(digits)
    raise DatasetError(
        f'{where}: found "{text}", expected a whole number from {low} to {high}; correct it, '
        "or leave the cell empty if it was not graded"
    )


def _unseen(patients: Sequence[str], path: Path) -> tuple[Finding, ...]:
    if not patients:
        return ()
    message = (
        f"{path}: found {len(patients)} graded patients without images, such as {patients[0]}; "
        "expected an image of each; their grades are left out; add the images or ignore this"
    )
    return (Finding("labels_without_images", "note", message, str(path)),)
