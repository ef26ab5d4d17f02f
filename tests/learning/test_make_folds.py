"""Folds: grouped, even, and independent of the order of rows."""

import numpy as np
import polars as pl
import pytest

from overread.learning import FoldSpec, make_folds
from overread.records import Labels, Rubric, Target

GRADES = ("normal", "moderate", "severe")
RUBRIC = Rubric(
    "r",
    "site",
    (
        Target("canal", GRADES, (1.0, 2.0, 4.0)),
        Target("left", GRADES, (1.0, 2.0, 4.0), mirror="right"),
        Target("right", GRADES, (1.0, 2.0, 4.0), mirror="left"),
    ),
    sites=("upper", "lower"),
)


def labels(subjects: int = 203, seed: int = 0) -> Labels:
    """Subjects of one to two studies, severe grades rare and clustered in subjects."""
    chance = np.random.default_rng(seed)
    rows = []
    for subject in range(subjects):
        ill = chance.random() < 0.15
        for study in range(1 + subject % 2):
            for site in RUBRIC.sites:
                for name in RUBRIC.names:
                    grade = chance.choice(3, p=[0.3, 0.3, 0.4] if ill else [0.9, 0.08, 0.02])
                    known = chance.random() > 0.1
                    rows.append(
                        {
                            "unit": f"{subject}-{study}@{site}",
                            "study": f"{subject}-{study}",
                            "subject": f"p{subject}",
                            "site": site,
                            "target": name,
                            "probabilities": np.eye(3)[grade].tolist() if known else None,
                            "weight": 1.0,
                            "origin": "truth",
                        }
                    )
    return Labels(pl.DataFrame(rows, schema=Labels.schema))


def test_every_subject_has_one_fold_of_even_size() -> None:
    """Each subject is once there, sizes differ by one at most."""
    folds = make_folds(labels(), RUBRIC, FoldSpec(count=5))

    sizes = folds.frame["fold"].value_counts()["count"]
    assert len(folds) == 203
    assert {40, 41} == set(sizes)


def test_rare_grades_are_spread() -> None:
    """Each fold has its share of each grade of each target, within a few per cent of the whole."""
    table = labels()
    folds = make_folds(table, RUBRIC, FoldSpec(count=5))
    known = (
        table.known()
        .frame.join(folds.frame, on="subject")
        .with_columns(
            pl.col("probabilities").list.arg_max().alias("grade"),
            pl.col("target").replace("right", "left"),
        )
    )
    counts = known.group_by("target", "grade", "fold").len().sort("target", "grade", "fold")
    for (_, _), group in counts.group_by("target", "grade"):
        share = group["len"] / group["len"].sum()
        assert share.max() < 0.24
        assert share.min() > 0.16


def test_row_order_is_irrelevant() -> None:
    """Shuffled rows give the same folds."""
    table = labels()
    shuffled = Labels(table.frame.sample(fraction=1, shuffle=True, seed=1))

    expected = make_folds(table, RUBRIC, FoldSpec(count=3)).of()

    assert expected == make_folds(shuffled, RUBRIC, FoldSpec(count=3)).of()


def test_seed_chooses_among_splits() -> None:
    """Another seed gives another split, the same seed the same."""
    first, again, other = (
        make_folds(labels(60), RUBRIC, FoldSpec(seed=seed)).of() for seed in (0, 0, 1)
    )

    assert first == again
    assert first != other


def test_subjects_without_labels_are_split_too() -> None:
    """Unlabelled subjects get folds of even size."""
    table = labels(20)
    bare = Labels(
        table.frame.with_columns(pl.lit(None).cast(pl.List(pl.Float64)).alias("probabilities"))
    )

    folds = make_folds(bare, RUBRIC, FoldSpec(count=4))

    assert folds.frame["fold"].value_counts()["count"].to_list() == [5, 5, 5, 5]


def test_too_few_subjects_are_refused() -> None:
    """The error tells both numbers and what to do."""
    with pytest.raises(ValueError, match=r"3 subjects cannot fill 5 folds.*set folds\.count lower"):
        make_folds(labels(3), RUBRIC, FoldSpec(count=5))
