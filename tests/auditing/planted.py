"""A small world in which the truth is known: two sided questions at five levels, and answers."""

import numpy as np
import polars as pl

from overread.records import Labels, Predictions, Rubric, Target

LEVELS = ("L1", "L2", "L3", "L4", "L5")
GRADES = ("none", "some", "much")
RUBRIC = Rubric(
    "planted",
    "site",
    tuple(
        Target(name, GRADES, (1.0, 2.0, 4.0), "ordered", mirror)
        for name, mirror in (("left", "right"), ("right", "left"))
    ),
    LEVELS,
)


def world(*, studies: int = 150, seed: int = 0, reader: float = 0.0) -> tuple[Labels, Predictions]:
    """Labels, and answers that know a good part of them, as a network out of fold does.

    `reader` is how much readers differ in how severely they grade a whole study, which no image
    shows.
    """
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(studies, 2, 5)) + rng.normal(size=(studies, 1, 5))
    graded = latent + reader * rng.normal(size=(studies, 1, 1))
    grade = (graded > 0.8).astype(int) + (graded > 1.9)
    seen = latent + 0.5 * rng.normal(size=latent.shape)
    logits = -((seen[..., None] - np.array([-0.6, 1.3, 2.6])) ** 2)
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return labels_of(np.eye(3)[grade]), predictions_of(chances)


def labels_of(truth: np.ndarray) -> Labels:
    """(studies, 2, 5, 3) as labels."""
    return Labels(_frame(truth).with_columns(weight=pl.lit(1.0), origin=pl.lit("truth")))


def predictions_of(chances: np.ndarray, *, name: str = "net") -> Predictions:
    """(studies, 2, 5, 3) as out-of-fold predictions of two folds."""
    fold = pl.col("study").str.slice(1).cast(pl.Int64) % 2
    extra = {"fold": fold, "predictor": pl.lit(name), "role": pl.lit("oof")}
    return Predictions(_frame(chances).with_columns(**extra))


def values_of(table: Labels | Predictions) -> np.ndarray:
    """Return (studies, 2, 5, 3) in the order of names."""
    rows = table.frame.sort("study", "target", "site")["probabilities"].to_list()
    return np.array(rows).reshape(-1, 2, 5, 3)


def folds_by_study(table: Labels) -> pl.DataFrame:
    """A fold for each subject."""
    people = table.frame.select("subject").unique().sort("subject")
    return people.with_columns(fold=pl.Series(np.arange(len(people)) % 4))


def folds_by_row(table: Labels) -> pl.DataFrame:
    """A fold for each row: the slip that an audit refuses."""
    rows = table.frame.select("subject")
    return rows.with_columns(fold=pl.Series(np.arange(len(rows)) % 4))


def _frame(values: np.ndarray) -> pl.DataFrame:
    rows = [
        {
            "unit": f"s{study:03d}@{site}",
            "study": f"s{study:03d}",
            "subject": f"s{study:03d}",
            "site": site,
            "target": target,
            "probabilities": values[study, side, level].tolist(),
        }
        for study in range(len(values))
        for side, target in enumerate(("left", "right"))
        for level, site in enumerate(LEVELS)
    ]
    return pl.DataFrame(rows)
