"""In which order should a person look at the studies? Every study, ranked by its evidence.

A review shows what is more likely wrong than not; a ranking goes on below that, for whoever has
time for the first hundredth of a set. Labels and points have rankings of their own, the whole set
and each question as well: who corrects the points of the spinal canal looks at those first. Knows
the scores of a review and nothing of how they arise.
"""

from collections.abc import Iterator

import polars as pl

from overread.auditing.review import Review

__all__ = ["rank_studies"]

# What is looked at: the kinds of evidence about it.
LISTS = {"points": ("point", "chain"), "labels": ("label", "side_swap", "level_shift")}
SCHEMA = {
    "list": pl.String,
    "study": pl.String,
    "target": pl.String,
    "kind": pl.String,
    "evidence": pl.Float64,
}


def rank_studies(review: Review) -> pl.DataFrame:
    """Rank all studies by their gravest evidence, as a whole and for each question.

    A chain of points counts for every question whose points stand off; an exchange of sides and a
    shift of levels, which are of all labels of a study, count for the study as a whole.

    Args:
        review: with the scores of what was looked at.

    Returns:
        Columns list ("points", "labels"), target (null: all questions), rank (from 1), study, kind
        (of the gravest evidence), evidence (nats); sorted by list, target and rank, equals by
        study.
    """
    scores = pl.concat([pl.DataFrame(schema=SCHEMA), *_scores(review)])
    whole = scores.with_columns(target=pl.lit(None, pl.String))
    both = pl.concat([whole, scores.drop_nulls("target")])
    gravest = both.sort("evidence", "kind", descending=[True, False]).unique(
        ["list", "study", "target"], keep="first", maintain_order=True
    )
    ranked = gravest.sort("list", "target", -pl.col("evidence"), "study").with_columns(
        rank=pl.int_range(1, pl.len() + 1).over("list", "target")
    )
    return ranked.select("list", "target", "rank", "study", "kind", "evidence")


def _scores(review: Review) -> Iterator[pl.DataFrame]:
    """Yield the evidence of each kind that was looked at, with the columns of `SCHEMA`."""
    for name, kind in [(name, kind) for name, kinds in LISTS.items() for kind in kinds]:
        frame = review.scores.get(kind, pl.DataFrame())
        if not len(frame):
            continue
        if "targets" in frame.columns:
            frame = frame.rename({"targets": "target"}).explode("target")
        elif "target" not in frame.columns:
            frame = frame.with_columns(target=pl.lit(None, pl.String))
        yield frame.with_columns(list=pl.lit(name), kind=pl.lit(kind)).select(
            pl.col(column).cast(dtype) for column, dtype in SCHEMA.items()
        )
