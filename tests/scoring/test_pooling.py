"""Several images of one disc count once."""

import polars as pl
import pytest

from overread.records import Labels, Predictions
from overread.scoring import pool_labels, pool_predictions

ROWS = {
    "unit": ["a1@d1", "a2@d1", "b1@d1"],
    "study": ["a1", "a2", "b1"],
    "subject": ["a", "a", "b"],
    "site": ["d1", "d1", "d1"],
    "target": ["g", "g", "g"],
}


def test_predictions_of_one_disc_are_averaged():
    """Two images of a disc make one row with their mean; another subject stays alone."""
    frame = pl.DataFrame(
        {
            **ROWS,
            "probabilities": [[0.2, 0.8], [0.6, 0.4], [1.0, 0.0]],
            "fold": [0, 0, 1],
            "predictor": ["p"] * 3,
            "role": ["oof"] * 3,
        }
    )

    pooled = pool_predictions(Predictions(frame)).frame

    assert pooled["unit"].to_list() == ["a@d1", "b@d1"]
    assert pooled["probabilities"][0].to_list() == pytest.approx([0.4, 0.6])
    assert pooled["fold"].to_list() == [0, 1]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"a1": 3.0}, [0.3, 0.7]),
        ({"a1": 0.0}, [0.6, 0.4]),
        ({"a1": 0.0, "a2": 0.0}, [0.4, 0.6]),
        ({"a1": 0.0, "a2": 0.5}, [0.6, 0.4]),
    ],
)
def test_a_study_counts_as_much_as_its_weight(weights, expected):
    """One that counts 0 is heard only where all others count 0 too."""
    frame = pl.DataFrame(
        {
            **ROWS,
            "probabilities": [[0.2, 0.8], [0.6, 0.4], [1.0, 0.0]],
            "fold": [0, 0, 1],
            "predictor": ["p"] * 3,
            "role": ["oof"] * 3,
        }
    )

    pooled = pool_predictions(Predictions(frame), {**weights, "b1": 0.0}).frame

    assert pooled["probabilities"][0].to_list() == pytest.approx(expected)
    assert pooled["probabilities"][1].to_list() == [1.0, 0.0]


def test_labels_of_one_disc_become_one():
    """The known label of a disc is kept once; one that no image knows stays missing."""
    frame = pl.DataFrame(
        {
            **ROWS,
            "probabilities": [None, [0.0, 1.0], None],
            "weight": [1.0, 1.0, 1.0],
            "origin": ["truth"] * 3,
        }
    )

    pooled = pool_labels(Labels(frame)).frame

    assert pooled["probabilities"].to_list() == [[0.0, 1.0], None]


def test_units_without_sites_are_pooled_by_subject():
    """Without sites the subject is the unit."""
    frame = pl.DataFrame({**ROWS, "site": [None] * 3}, schema_overrides={"site": pl.String})
    frame = frame.with_columns(
        probabilities=pl.Series([[0.0, 1.0]] * 3), weight=pl.lit(1.0), origin=pl.lit("truth")
    )

    assert pool_labels(Labels(frame)).frame["unit"].to_list() == ["a", "b"]
