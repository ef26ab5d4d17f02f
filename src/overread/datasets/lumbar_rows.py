"""Row ids of the RSNA 2024 lumbar tables, and what they stand for.

`123_left_subarticular_stenosis_l4_l5` is study 123, target left_subarticular_stenosis, site L4/L5.
Knows no files.
"""

from itertools import product

from overread.datasets.dataset import DatasetError
from overread.records import Rubric, Target

__all__ = ["COLUMNS", "GRADES", "LEVELS", "RUBRIC", "TARGETS", "parse_row_id", "plain", "row_id"]

LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
# As train.csv writes them, and as the columns of a submission are called.
WORDS = ("Normal/Mild", "Moderate", "Severe")
GRADES = ("normal_mild", "moderate", "severe")
PARTNERS = {
    "spinal_canal_stenosis": None,
    "left_neural_foraminal_narrowing": "right_neural_foraminal_narrowing",
    "right_neural_foraminal_narrowing": "left_neural_foraminal_narrowing",
    "left_subarticular_stenosis": "right_subarticular_stenosis",
    "right_subarticular_stenosis": "left_subarticular_stenosis",
}
TARGETS = tuple(PARTNERS)
RUBRIC = Rubric(
    "rsna2024_lumbar",
    "site",
    tuple(
        Target(
            name,
            GRADES,
            (1.0, 2.0, 4.0),
            "ordered",
            partner,
            name.replace("_", " ").capitalize(),
        )
        for name, partner in PARTNERS.items()
    ),
    LEVELS,
)


def plain(words: str) -> str:
    """Return words as column names write them: "Spinal Canal Stenosis", "L1/L2" -> "l1_l2".

    Example:
        >>> plain("L4/L5")
        'l4_l5'
    """
    return words.strip().lower().replace(" ", "_").replace("/", "_")


# {column of train.csv: (target, site)}: condition-major, as the original orders them.
COLUMNS = {
    f"{target}_{plain(level)}": (target, level) for target, level in product(TARGETS, LEVELS)
}


def row_id(study: str, target: str, site: str) -> str:
    """Return the id of a row of a submission.

    Example:
        >>> row_id("123", "left_subarticular_stenosis", "L4/L5")
        '123_left_subarticular_stenosis_l4_l5'
    """
    return f"{study}_{target}_{plain(site)}"


def parse_row_id(text: str) -> tuple[str, str, str]:
    """Return study, target and site of a row id. Study ids may hold underscores.

    Raises:
        DatasetError: if the id ends on none of the 25 targets.
    """
    for column, (target, site) in COLUMNS.items():
        # "left_..." must not be taken for a target without side: the whole ending has to fit.
        if text.endswith(f"_{column}"):
            return text[: -len(column) - 1], target, site
    raise DatasetError(
        f'found row_id "{text}", expected {{study}}_{{condition}}_{{level}} such as '
        "123_left_subarticular_stenosis_l4_l5; correct it"
    )
