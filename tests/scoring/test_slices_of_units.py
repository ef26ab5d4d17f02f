"""Values of parts of the units: of each site, and within each true grade of another target."""

import numpy as np
import polars as pl
import pytest
from graded_tables import RUBRIC, tables

from overread.records import RecordError
from overread.scoring import score
from overread.shelf import Named

WITHIN = Named.model_validate({"use": "accuracy", "within": "narrowing", "by_site": False})


def _grades(table, target: str, name: str) -> pl.DataFrame:
    rows = table.known().frame if name == "truth" else table.frame
    rows = rows.filter(target=target)
    best = [int(np.argmax(one)) for one in rows["probabilities"]]
    return rows.select("unit").with_columns(pl.Series(name, best))


def test_accuracy_within_the_grades_of_another_target() -> None:
    """The share among the units whose narrowing truly is of that grade; its own has none."""
    labels, said = tables(seed=1)
    found = {
        (one.target, one.slice): (one.value, one.n)
        for one in score(WITHIN, labels, said, RUBRIC)
        if one.slice
    }
    both = _grades(labels, "kind", "truth").join(_grades(said, "kind", "said"), on="unit")
    both = both.join(_grades(labels, "narrowing", "truth").rename({"truth": "narrow"}), on="unit")
    expected = {
        ("kind", f"narrowing: {grade}"): (float((part["truth"] == part["said"]).mean()), len(part))
        for index, grade in enumerate(("no", "yes"))
        if len(part := both.filter(narrow=index))
    }

    assert {key: pytest.approx(one) for key, one in expected.items()} == {
        key: one for key, one in found.items() if key[0] == "kind"
    }
    assert {target for target, _ in found} == {"kind", "degeneration"}


def test_an_unknown_target_is_named() -> None:
    """With those that there are."""
    with pytest.raises(RecordError, match="found mask, expected one of degeneration, narrowing"):
        score(Named.model_validate({"use": "kappa", "within": "mask"}), *tables(), RUBRIC)
