"""Joint derived targets: combinations of grades are scored like any target."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, f1_score

from overread.records import Derived, Labels, Predictions, RecordError, Rubric, Target
from overread.scoring import evaluate, join, score
from overread.shelf import Named

TARGETS = (
    Target("mask", ("worn", "incorrect", "not_worn"), (1.0,) * 3, "nominal"),
    Target("gender", ("male", "female"), (1.0,) * 2, "binary"),
    Target("age", ("young", "middle", "old"), (1.0,) * 3),
)
RUBRIC = Rubric(
    "faces", "photo", TARGETS, derived=(Derived("class", ("mask", "gender", "age"), "joint"),)
)


def world(num: int = 90) -> tuple[Labels, Predictions]:
    """Labels and rather good predictions of photos, three of a person."""
    rng = np.random.default_rng(3)
    rows = []
    for unit in range(num):
        for target in TARGETS:
            truth = np.eye(len(target.grades))[rng.integers(len(target.grades))]
            said = 0.3 * truth + 0.7 * rng.dirichlet(np.ones(len(target.grades)))
            place = {"unit": f"p{unit:02d}", "study": f"p{unit:02d}", "subject": f"s{unit // 3}"}
            rows.append({**place, "site": None, "target": target.name, "t": truth, "p": said})
    frame = pl.DataFrame(rows, schema_overrides={"site": pl.String})
    labels = frame.with_columns(probabilities="t", weight=pl.lit(1.0), origin=pl.lit("truth"))
    said = {"fold": pl.lit(0), "predictor": pl.lit("ours"), "role": pl.lit("oof")}
    return Labels(labels), Predictions(frame.with_columns(probabilities="p", **said))


def codes(table: Labels | Predictions) -> list[int]:
    """The class of each photo as the challenge counts it: mask * 6 + gender * 3 + age."""
    weight = {"mask": 6, "gender": 3, "age": 1}
    frame = table.frame.with_columns(
        code=pl.col("probabilities").list.arg_max()
        * pl.col("target").replace_strict(weight, return_dtype=pl.UInt32)
    )
    return frame.group_by("unit").agg(pl.col("code").sum()).sort("unit")["code"].to_list()


def test_combinations_are_counted_like_the_challenge() -> None:
    """Grade k of the combination is mask * 6 + gender * 3 + age, in truth and in prediction."""
    labels, predictions = world()
    [graded] = join(RUBRIC, labels, predictions).derived

    assert len(graded.target.grades) == 18
    assert graded.target.grades[7] == "incorrect male middle"
    assert codes(labels) == graded.grade.tolist()
    assert codes(predictions) == graded.predicted.argmax(1).tolist()


@pytest.mark.parametrize("metric", ["macro_f1", "accuracy"])
def test_scores_equal_scikit_learns(metric: str) -> None:
    """Macro F1 and accuracy over the 18 classes are scikit-learn's, with an interval."""
    labels, predictions = world()
    true, said = codes(labels), codes(predictions)
    expected = {
        "macro_f1": f1_score(true, said, average="macro"),
        "accuracy": accuracy_score(true, said),
    }
    scores = evaluate(RUBRIC, labels, predictions, [Named(use=metric)], folds=None, bootstrap=50)
    [row] = scores.frame.filter(
        pl.col("predictor") == "ours", pl.col("target") == "class"
    ).iter_rows(named=True)

    assert expected[metric] == pytest.approx(row["value"])
    assert row["low"] < row["value"] < row["high"]
    assert row["n"] == 90


def test_the_mean_over_targets_is_without_the_combination() -> None:
    """The combination stands beside the targets and does not change their mean."""
    labels, predictions = world()
    values = {
        one.target: one.value for one in score(Named(use="macro_f1"), labels, predictions, RUBRIC)
    }
    mean = np.mean([values[target.name] for target in TARGETS])

    assert values[None] == pytest.approx(mean)
    assert "class" in values


def test_units_that_lack_a_part_have_no_combination() -> None:
    """A photo whose age is unknown, or not predicted, is left out of the combination alone."""
    labels, predictions = world()
    unknown = (pl.col("unit") == "p00") & (pl.col("target") == "age")
    rows = labels.frame.with_columns(
        probabilities=pl.when(unknown).then(None).otherwise(pl.col("probabilities"))
    )
    unsaid = (pl.col("unit") == "p01") & (pl.col("target") == "mask")
    exam = join(RUBRIC, Labels(rows), Predictions(predictions.frame.filter(~unsaid)))

    assert len(exam.derived[0]) == 88
    assert {one.target.name: len(one) for one in exam.graded} == {
        "mask": 89,
        "gender": 90,
        "age": 89,
    }


def test_a_derived_name_is_no_targets() -> None:
    """A combination that is called like a target is refused."""
    with pytest.raises(RecordError, match="name it otherwise"):
        Rubric("faces", "photo", TARGETS, derived=(Derived("age", ("mask",), "joint"),))
