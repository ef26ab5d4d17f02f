"""A split that others made is taken as it is, or refused."""

import polars as pl
import pytest

from overread.datasets import DatasetError
from overread.learning import FoldSpec, folds_of_table
from overread.records import Labels

SPEC = FoldSpec(table="folds.csv")


def labels(pairs: dict[str, str]) -> Labels:
    """A label for each {study: subject}."""
    rows = [
        {
            "unit": study,
            "study": study,
            "subject": subject,
            "site": None,
            "target": "t",
            "probabilities": [1.0, 0.0],
            "weight": 1.0,
            "origin": "truth",
        }
        for study, subject in pairs.items()
    ]
    return Labels(pl.DataFrame(rows, schema=Labels.schema))


def split(folder, text: str, known: Labels, spec: FoldSpec = SPEC) -> dict[str, int]:
    """The folds of a table with this text."""
    (folder / "folds.csv").write_text(text)
    return folds_of_table(folder / "folds.csv", known, spec).of()


def test_studies_or_subjects_are_named(tmp_path) -> None:
    """The subject's fold is that of its studies; folds are numbered from 0."""
    known = labels({"1": "ann", "2": "ann", "3": "bob"})

    assert split(tmp_path, "study_id,fold_id\n1,1\n2,1\n3,4\n9,2\n", known) == {"ann": 0, "bob": 1}
    assert split(tmp_path, "subject,fold\nann,1\nbob,0\n", known) == {"ann": 1, "bob": 0}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("study,fold\n1,0\n2,1\n3,1\n", "found subject ann in several folds"),
        ("study,fold\n1,0\n2,0\n", "found no fold for 1 subjects with labels, such as bob"),
        (
            "study,fold\n1,0\n2,0\n3,-1\n",
            "without a whole number from 0 as fold, such as that of 3",
        ),
        ("study,part\n1,0\n", "found columns study, part, expected one called fold"),
    ],
)
def test_a_table_that_is_no_split_is_refused(tmp_path, text, sentence) -> None:
    """The words name the table, what was found and what was expected."""
    with pytest.raises(DatasetError, match=sentence):
        split(tmp_path, text, labels({"1": "ann", "2": "ann", "3": "bob"}))


def test_the_number_of_folds_can_be_held_to(tmp_path) -> None:
    """Networks are trained for as many folds as the recipe tells."""
    known = labels({"1": "1", "2": "2"})
    told = FoldSpec(table="folds.csv", count=3)

    assert FoldSpec(table="folds.csv").count is None
    with pytest.raises(DatasetError, match=r"found 2 folds, expected folds\.count 3"):
        split(tmp_path, "study,fold\n1,0\n2,1\n", known, told)


def test_a_spec_without_table_is_as_it_was() -> None:
    """Finished work of recipes without a table stays finished."""
    assert FoldSpec().identity() == {"count": 5, "seed": 0}
    with pytest.raises(ValueError, match="need a count"):
        FoldSpec(count=None)
