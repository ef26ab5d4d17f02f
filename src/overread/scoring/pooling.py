"""Several units of one subject at one site become one: images of the same disc, photos of a face.

Which units belong together is told by subject and site alone.
"""

import polars as pl

from overread.records import Labels, Predictions

__all__ = ["pool_labels", "pool_predictions"]

PLACE = ("subject", "site", "target")


def pool_labels(labels: Labels) -> Labels:
    """Return one row a subject, site and target: the mean of what is known."""
    return Labels(_pooled(labels.frame, (*PLACE, "origin"), [pl.col("weight").mean()]))


def pool_predictions(predictions: Predictions) -> Predictions:
    """Return one row a subject, site, target and predictor: the mean of the probabilities."""
    keys = (*PLACE, "predictor", "role")
    return Predictions(_pooled(predictions.frame, keys, [pl.col("fold").first()]))


def _pooled(frame: pl.DataFrame, keys: tuple[str, ...], kept: list[pl.Expr]) -> pl.DataFrame:
    numbered = frame.with_row_index("row")
    rows = numbered.group_by(keys, maintain_order=True).agg(pl.col("row").first(), *kept)
    means = (
        numbered.select("probabilities", *keys)
        .drop_nulls("probabilities")
        .with_columns(pl.int_ranges(pl.col("probabilities").list.len()).alias("grade"))
        .explode("probabilities", "grade")
        .group_by(*keys, "grade")
        .agg(pl.col("probabilities").mean())
        .sort("grade")
        .group_by(keys)
        .agg(pl.col("probabilities"))
    )
    pooled = rows.join(means, on=keys, how="left", nulls_equal=True).sort("row").drop("row")
    unit = (
        pl.when(pl.col("site").is_null())
        .then("subject")
        .otherwise(pl.concat_str("subject", pl.lit("@"), "site", ignore_nulls=True))
    )
    return pooled.with_columns(unit.alias("unit"), pl.col("subject").alias("study"))
