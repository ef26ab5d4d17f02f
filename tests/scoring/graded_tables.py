"""Random labels and predictions to score, and the arrays that a reference library wants."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from overread.records import Labels, Predictions, Rubric, Target

RUBRIC = Rubric(
    "spine",
    "site",
    (
        Target("degeneration", ("1", "2", "3", "4", "5"), (1, 1, 2, 4, 4)),
        Target("narrowing", ("no", "yes"), (1, 3), "binary"),
        Target("kind", ("a", "b", "c"), (1, 1, 1), "nominal"),
    ),
    ("disc1", "disc2"),
)


def tables(
    num_subjects: int = 40, *, seed: int = 0, skill: float = 1.0, rubric: Rubric = RUBRIC
) -> tuple[Labels, Predictions]:
    """Labels (a tenth without grade) and predictions with ties; two studies a subject at times."""
    rng = np.random.default_rng(seed)
    rows = []
    for subject in range(num_subjects):
        for part in range(1 + subject % 2):
            for site in rubric.sites:
                for target in rubric.targets:
                    grades = len(target.grades)
                    truth = int(rng.integers(grades))
                    logits = np.round(rng.normal(size=grades) + skill * np.eye(grades)[truth], 1)
                    chances = np.exp(logits) / np.exp(logits).sum()
                    rows.append(
                        {
                            "unit": f"{subject}-{part}@{site}",
                            "study": f"{subject}-{part}",
                            "subject": f"s{subject}",
                            "site": site,
                            "target": target.name,
                            "truth": None if rng.random() < 0.1 else np.eye(grades)[truth].tolist(),
                            "predicted": chances.tolist(),
                        }
                    )
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return labels_of(frame), predictions_of(frame)


def labels_of(frame: pl.DataFrame, column: str = "truth") -> Labels:
    """The truth of a frame of units."""
    return Labels(
        frame.with_columns(probabilities=pl.col(column), weight=pl.lit(1.0), origin=pl.lit("truth"))
    )


def predictions_of(frame: pl.DataFrame, column: str = "predicted", name: str = "us") -> Predictions:
    """The predictions of a frame of units."""
    return Predictions(
        frame.with_columns(
            probabilities=pl.col(column),
            fold=pl.lit(None, pl.Int64),
            predictor=pl.lit(name),
            role=pl.lit("oof"),
        )
    )


def arrays(
    labels: Labels, predictions: Predictions, target: str, sites: Sequence[str] = RUBRIC.sites
) -> tuple[np.ndarray, np.ndarray]:
    """True grades (n,) and probabilities (n, grades) of a target, without missing labels."""
    rows = labels.known().frame.join(predictions.frame, on=("unit", "target"), suffix="_predicted")
    rows = rows.filter(pl.col("target") == target, pl.col("site").is_in(sites))
    truth = np.array(rows["probabilities"].to_list()).argmax(1)
    return truth, np.array(rows["probabilities_predicted"].to_list())


def repeated(labels: Labels, predictions: Predictions, counts: Sequence[int]) -> tuple:
    """Tables in which each subject stands as often as `counts` tells, under new names."""
    people = sorted(labels.known().frame["subject"].unique())
    parts = []
    for person, count in zip(people, counts, strict=True):
        for copy in range(count):
            name = [pl.col(one) + f"#{copy}" for one in ("unit", "study", "subject")]
            parts.append((person, name))
    frames = [
        pl.concat(
            [table.frame.filter(pl.col("subject") == who).with_columns(n) for who, n in parts]
        )
        for table in (labels, predictions)
    ]
    return Labels(frames[0]), Predictions(frames[1])
