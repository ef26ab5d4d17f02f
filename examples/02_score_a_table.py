"""Score a table of predictions: the official RSNA 2024 lumbar score, with interval and floors."""

from pathlib import Path

import polars as pl

from overread.datasets import rsna2024_lumbar
from overread.phantoms import forge_lumbar
from overread.records import Predictions
from overread.scoring import evaluate
from overread.shelf import Named


def main() -> None:
    """Predict one third for everything, and see what that is worth."""
    forge_lumbar(Path("studies"), num_studies=3, seed=1, workers=1)
    spec = rsna2024_lumbar.Spec()
    labels = rsna2024_lumbar.read_labels(spec, Path("studies/train.csv"))
    thirds = labels.frame.select("unit", "study", "subject", "site", "target").with_columns(
        probabilities=pl.lit([1 / 3] * 3, pl.List(pl.Float64)),
        fold=pl.lit(None, pl.Int64),
        predictor=pl.lit("thirds"),
        role=pl.lit("new"),
    )
    rubric = rsna2024_lumbar.rubric(spec)
    metrics = [Named(use="rsna2024_lumbar")]
    scores = evaluate(rubric, labels, Predictions(thirds), metrics, folds=None, bootstrap=200)
    columns = ("predictor", "slice", "value", "low", "high")
    for row in scores.frame.select(columns).iter_rows():
        print(*row)


if __name__ == "__main__":
    main()
