"""Sets of grades: checked like every other table."""

import polars as pl
import pytest

from overread.records import GradeSets, RecordError


def sets(units: list[str], holds: list[list[bool] | None]) -> pl.DataFrame:
    """A row for each unit of one target."""
    same = {"study": "s", "subject": "p", "site": None, "target": "t", "predictor": "m"}
    rows = [{"unit": unit, **same, "holds": one} for unit, one in zip(units, holds, strict=True)]
    return pl.DataFrame(rows, schema=GradeSets.schema)


def test_sets_as_an_array() -> None:
    """A target's sets are an array of booleans, sorted by unit."""
    units, holds = GradeSets(sets(["u", "a"], [[True, False], [True, True]])).array("t")

    assert units == ["a", "u"]
    assert holds.tolist() == [[True, True], [True, False]]


@pytest.mark.parametrize(
    ("units", "holds", "words"),
    [
        (["u"], [[False, False]], "1 sets are empty"),
        (["u"], [None], "holds has 1 nulls"),
        (["u", "u"], [[True, False]] * 2, "rows repeat"),
    ],
)
def test_sets_that_are_none(units: list[str], holds: list[list[bool]], words: str) -> None:
    """A set holds a grade at least, and a unit has one set a target."""
    with pytest.raises(RecordError, match=words):
        GradeSets(sets(units, holds))
