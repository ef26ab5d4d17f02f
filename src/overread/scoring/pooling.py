"""Several units of one subject at one site become one: images of the same disc, photos of a face.

Which units belong together is told by subject and site alone; which study knows better is told by
the weights that the caller gives.
"""

from collections.abc import Mapping

import polars as pl

from overread.records import Labels, Predictions

__all__ = ["pool_labels", "pool_predictions"]

PLACE = ("subject", "site", "target")
SHARE = "share"


def pool_labels(labels: Labels) -> Labels:
    """Return one row a subject, site and target: the mean of what is known."""
    frame = labels.frame.with_columns(pl.lit(1.0).alias(SHARE))
    return Labels(_pooled(frame, (*PLACE, "origin"), [pl.col("weight").mean()]))


def pool_predictions(
    predictions: Predictions, weights: Mapping[str, float] | None = None
) -> Predictions:
    """Return one row a subject, site, target and predictor: the mean of the probabilities.

    Args:
        predictions: of any predictors.
        weights: {study: how much its answers count, at least 0}; others count 1. Answers that
            count 0 are heard only where no other study of the subject says anything of the site.
    """
    keys = (*PLACE, "predictor", "role")
    given = pl.col("study").replace_strict(
        dict(weights or {}), default=1.0, return_dtype=pl.Float64
    )
    alone = given.sum().over(keys) == 0
    frame = predictions.frame.with_columns(pl.when(alone).then(1.0).otherwise(given).alias(SHARE))
    return Predictions(_pooled(frame, keys, [pl.col("fold").first()]))


def _pooled(frame: pl.DataFrame, keys: tuple[str, ...], kept: list[pl.Expr]) -> pl.DataFrame:
    numbered = frame.with_row_index("row")
    share = pl.col(SHARE)
    rows = numbered.group_by(keys, maintain_order=True).agg(pl.col("row").first(), *kept)
    means = (
        numbered.select("probabilities", SHARE, *keys)
        .drop_nulls("probabilities")
        .with_columns(pl.int_ranges(pl.col("probabilities").list.len()).alias("grade"))
        .explode("probabilities", "grade")
        .group_by(*keys, "grade")
        .agg((pl.col("probabilities") * share).sum() / share.sum())
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
