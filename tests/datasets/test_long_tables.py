"""Predictions as a table with a row a grade, and every way to get it wrong."""

import polars as pl
import pytest

from overread.datasets import DatasetError, spider

SPEC = spider.Spec()


@pytest.fixture
def table():
    """Two discs of a patient, narrowing alone."""
    rows = [
        ("7", disc, "narrowing", grade) for disc in ("disc1", "disc2") for grade in ("yes", "no")
    ]
    frame = pl.DataFrame(rows, schema=["study", "site", "target", "grade"], orient="row")
    return frame.with_columns(probability=pl.Series([3.0, 1.0, 0.25, 0.75]))


def test_rows_are_put_in_the_order_of_the_grades(table):
    """The order of rows is irrelevant, and a unit's numbers are divided by their sum."""
    units, chances = spider.read_submission(SPEC, table[::-1], "ours").array("narrowing")

    assert units == ["7@disc1", "7@disc2"]
    assert chances.tolist() == [[0.25, 0.75], [0.75, 0.25]]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("target", "narowing", 'target "narowing".*did you mean "narrowing"'),
        ("grade", "maybe", "expected a grade among no, yes"),
        ("site", "disc10", "at a site among disc1"),
        ("site", None, "at a site among disc1"),
        ("site", "disc2", "2 rows that repeat, such as 7, disc2"),
        ("probability", -1.0, "1 rows without a probability"),
        ("probability", None, "1 rows without a probability"),
        ("study", "8", "2 units without all grades of narrowing"),
    ],
)
def test_wrong_rows_are_told(table, column, value, words):
    """A wrong cell is told with the row that holds it."""
    table[0, column] = value

    with pytest.raises(DatasetError, match=words):
        spider.read_submission(SPEC, table, "ours")


def test_units_of_zeros_are_told(table):
    """A unit without any probability is refused."""
    with pytest.raises(DatasetError, match="2 units whose probabilities are all 0"):
        spider.read_submission(SPEC, table.with_columns(probability=0.0), "ours")


def test_gradings_alone_give_labels(tmp_path):
    """The table of gradings can be read without images; a patient is a study."""
    path = tmp_path / "radiological_gradings.csv"
    path.write_text("Patient,IVD label,Disc narrowing,Disc bulging,Pfirrman grade\n7,1,0,1,5\n")
    frame = spider.read_labels(SPEC, tmp_path).frame

    assert frame.select("unit", "study", "subject").rows() == [("7@disc1", "7", "7")] * 3
    assert frame.equals(spider.read_labels(SPEC, path).frame)
