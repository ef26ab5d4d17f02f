"""Kappa: which grade is compared."""

import numpy as np
import polars as pl
import pytest

from overread.records import Labels, Predictions, Rubric, Target
from overread.scoring import score
from overread.shelf import Named

RUBRIC = Rubric("r", "study", (Target("g", ("1", "2", "3"), (1.0, 1.0, 1.0)),))


def tables(said):
    n = len(said)
    units = {
        "unit": [str(k) for k in range(n)],
        "study": [str(k) for k in range(n)],
        "subject": [str(k) for k in range(n)],
        "site": pl.Series([None] * n, dtype=pl.String),
        "target": ["g"] * n,
    }
    truth = np.eye(3)[[0, 1, 2, 1][:n]].tolist()
    labels = Labels(pl.DataFrame({**units, "probabilities": truth, "weight": 1.0, "origin": "t"}))
    predictions = pl.DataFrame(
        {**units, "probabilities": said, "fold": 0, "predictor": "p", "role": "oof"}
    )
    return labels, Predictions(predictions)


def test_the_expected_grade_may_decide():
    """An opinion split between the extremes is the middle grade where the expectation decides."""
    sure = np.eye(3)[[0, 1, 2]].tolist()
    labels, predictions = tables([*sure, [0.5, 0.0, 0.5]])

    values = {
        how: score(
            Named.model_validate({"use": "kappa", "decide": how, "by_site": False}),
            labels,
            predictions,
            RUBRIC,
        )[0]
        for how in ("mode", "expected")
    }

    assert values["expected"].value == 1.0
    assert values["mode"].value == pytest.approx(0.8)
