"""The smooth loss of a condition is the official metric's, and its slope is right."""

import numpy as np
import polars as pl
import pytest
from scipy.optimize import approx_fprime

from overread.datasets.lumbar_rows import RUBRIC
from overread.ensembling.samples import Sample
from overread.ensembling.softmax import log_softmax
from overread.ensembling.study_loss import study_loss
from overread.records import Labels, Predictions
from overread.scoring import evaluate
from overread.shelf import Named

TARGET = "spinal_canal_stenosis"


def units(num_studies=8):
    rng = np.random.default_rng(0)
    grades = rng.choice(3, size=num_studies * 5, p=(0.8, 0.1, 0.1))
    parts = np.eye(3)[grades] * (1.0, 2.0, 4.0)
    study = np.arange(len(grades)) // 5
    return Sample(np.zeros(parts.shape), np.zeros((len(grades), 1)), parts, study, study % 2)


@pytest.mark.parametrize("sharpness", [1.0, 8.0])
def test_slope(sharpness):
    """The slope is that of finite differences, with the event and its soft maximum."""
    ours = units()
    logits = np.random.default_rng(1).normal(size=ours.parts.shape)

    def loss(values):
        return study_loss(ours, values.reshape(-1, 3), event=0.7, sharpness=sharpness)[0]

    _, slope = study_loss(ours, logits, event=0.7, sharpness=sharpness)

    assert slope.ravel() == pytest.approx(approx_fprime(logits.ravel(), loss, 1e-7), abs=1e-6)


def test_is_the_official_metric():
    """With the hard maximum, the mean of log loss and event is the official score of the target."""
    ours = units()
    logs = log_softmax(np.random.default_rng(2).normal(size=ours.parts.shape))
    names = [f"s{one}" for one in ours.study]
    sites = [RUBRIC.sites[index % 5] for index in range(len(names))]
    keys = pl.DataFrame(
        {
            "unit": [f"{name}@{site}" for name, site in zip(names, sites, strict=True)],
            "study": names,
            "subject": names,
            "site": sites,
            "target": [TARGET] * len(names),
        }
    )
    truth = pl.Series("probabilities", (ours.parts > 0).astype(float).tolist())
    said = pl.Series("probabilities", np.exp(logs).tolist())
    labels = Labels(keys.with_columns(truth, weight=pl.lit(1.0), origin=pl.lit("truth")))
    extra = {"fold": pl.lit(0, pl.Int64), "predictor": pl.lit("x"), "role": pl.lit("oof")}
    table = Predictions(keys.with_columns(said, **extra))
    metric = [Named(use="rsna2024_lumbar")]
    scores = evaluate(RUBRIC, labels, table, metric, folds=None, bootstrap=0, floors=False)
    loss, _ = study_loss(ours, logs, event=1.0, sharpness=1e4)

    assert loss / 2 == pytest.approx(scores.frame["value"][0], abs=1e-6)
