"""Labels that networks doubt which have not learnt from them: left out of training.

Source: RSNA 2024 lumbar spine, 2nd place, who left out what differed by 0.8 or more from what was
said out of fold. Where the answers come from is not known here.
"""

from collections.abc import Sequence

import polars as pl

from overread.records import Labels, Predictions

__all__ = ["drop_doubtful"]


def drop_doubtful(labels: Labels, tables: Sequence[Predictions], far: float) -> Labels:
    """Empty the graded cells whose label lies far from the mean of what the tables say.

    Args:
        labels: the truth, filled cells among it or not.
        tables: of one predictor each, out of fold, limited to the targets that it judges.
        far: least difference, of the probability of any grade, that counts as doubt.

    Returns:
        All rows of the labels; those doubted without probabilities. Cells that nobody answers and
        filled ones stay as they are.
    """
    said = pl.concat([table.frame.select("unit", "target", "probabilities") for table in tables])
    parts = {
        name: frame.with_columns(part=pl.int_ranges(pl.col("probabilities").list.len()))
        .explode("probabilities", "part")
        .group_by("unit", "target", "part")
        .agg(pl.col("probabilities").mean().alias(name))
        for name, frame in (
            ("said", said),
            ("label", labels.known().frame.filter(pl.col("origin") == "truth")),
        )
    }
    both = parts["label"].join(parts["said"], on=("unit", "target", "part"))
    doubted = (
        both.group_by("unit", "target")
        .agg((pl.col("label") - pl.col("said")).abs().max().alias("difference"))
        .filter(pl.col("difference") >= far)
        .select("unit", "target", doubted=pl.lit(value=True))
    )
    frame = labels.frame.join(doubted, on=("unit", "target"), how="left")
    kept = pl.when(pl.col("doubted").is_null()).then("probabilities")
    return Labels(frame.with_columns(probabilities=kept))
