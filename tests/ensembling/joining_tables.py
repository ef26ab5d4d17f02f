"""Members with planted labels, truth and folds to join."""

import numpy as np
import polars as pl

from overread.records import Folds, Labels, Predictions, Rubric, Target

RUBRIC = Rubric(
    "knee",
    "study",
    (
        Target("grade", ("0", "1", "2"), (1, 2, 4)),
        Target("tear", ("no", "yes"), (1, 1), "binary"),
    ),
)


def softmax(logits):
    """Probabilities of logits (n, grades)."""
    chances = np.exp(logits - logits.max(1, keepdims=True))
    return chances / chances.sum(1, keepdims=True)


def study_names(num_studies):
    """Names that sort like numbers."""
    return [f"s{index:04d}" for index in range(num_studies)]


def truths(num_studies, seed=0):
    """{target: (n,) true grades}."""
    rng = np.random.default_rng(seed)
    return {one.name: rng.integers(len(one.grades), size=num_studies) for one in RUBRIC.targets}


def rows(names, target, chances):
    """The columns of units of one target."""
    return pl.DataFrame(
        {
            "unit": names,
            "study": names,
            "subject": [f"p{name}" for name in names],
            "site": pl.Series([None] * len(names), dtype=pl.String),
            "target": [target] * len(names),
            "probabilities": chances.tolist(),
        }
    )


def labels_of(truth):
    """Labels of {target: grades}."""
    parts = [
        rows(study_names(len(grades)), name, np.eye(len(RUBRIC.target(name).grades))[grades])
        for name, grades in truth.items()
    ]
    return Labels(pl.concat(parts).with_columns(weight=pl.lit(1.0), origin=pl.lit("truth")))


def member(name, chances, *, keep=None):
    """Predictions of {target: (n, grades)}; `keep` are the studies that it answers."""
    parts = [rows(study_names(len(one)), target, one) for target, one in chances.items()]
    frame = pl.concat(parts)
    if keep is not None:
        frame = frame.filter(pl.col("unit").is_in([study_names(10_000)[one] for one in keep]))
    return Predictions(
        frame.with_columns(fold=pl.lit(0, pl.Int64), predictor=pl.lit(name), role=pl.lit("oof"))
    )


def noisy(truth, *, seed, sharpness=1.0, skill=1.0):
    """{target: probabilities} that know something of the truth."""
    rng = np.random.default_rng(seed)
    chances = {}
    for name, grades in truth.items():
        num = len(RUBRIC.target(name).grades)
        logits = rng.normal(size=(len(grades), num)) + skill * np.eye(num)[grades]
        chances[name] = softmax(sharpness * logits)
    return chances


def folds_of(num_studies, count=4):
    """Folds by turns."""
    names = [f"p{name}" for name in study_names(num_studies)]
    return Folds(pl.DataFrame({"subject": names, "fold": [i % count for i in range(num_studies)]}))
