"""How often units are drawn so that classes are balanced."""

import numpy as np
import pytest

from overread.inference import MemberExamples, MemberSpec
from overread.inference.examples import UnitLabels
from overread.records import Rubric, Target

RUBRIC = Rubric(
    "faces",
    "photo",
    (
        Target("gender", ("male", "female"), (1.0, 1.0), "nominal"),
        Target("age", ("young", "old"), (1.0, 1.0)),
    ),
)


def examples(balance: tuple[str, ...], gender: list[int], age: list[int | None]) -> MemberExamples:
    """Units of these grades, without pictures; None = not graded."""
    known = np.array([one is not None for one in age], np.float32)
    labels = UnitLabels(
        {
            "gender": np.eye(2, dtype=np.float32)[gender],
            "age": np.eye(2, dtype=np.float32)[[one or 0 for one in age]],
        },
        {"gender": np.ones(len(gender), np.float32), "age": known},
    )
    rows = np.zeros((len(gender), 2), np.int64)
    member = MemberSpec(views=("face",), balance=balance)
    return MemberExamples(member, {}, RUBRIC, {}, rows, rows[:, 0], labels)


def test_each_grade_has_the_same_share() -> None:
    """Three men and a woman: she is drawn as often as the three together."""
    shares = examples(("gender",), [0, 0, 0, 1], [0, 0, 0, 0]).shares()

    assert shares is not None
    assert sum(shares[:3]) == pytest.approx(shares[3])


def test_combinations_are_classes() -> None:
    """With two targets each combination that occurs has the same share, unknown ones too."""
    shares = examples(("gender", "age"), [0, 0, 0, 1, 1], [0, 0, 1, 0, None]).shares()

    assert shares == pytest.approx([0.5, 0.5, 1, 1, 1])


def test_nothing_is_balanced_unless_asked() -> None:
    """Without targets each unit comes once an epoch."""
    assert examples((), [0, 1], [0, 1]).shares() is None
