"""How far grades lie apart is counted, and judged by what is allowed."""

import numpy as np
import polars as pl
import pytest

from overread.inference import GradedStudy, Grades
from overread.inference.engines import ParitySpec, compare_grades
from overread.inference.engines.parity import unlike
from overread.records import Keypoints, Labels, Predictions, Rubric, Target

RUBRIC = Rubric("two", "study", (Target("ill", ("no", "yes"), (1.0, 2.0)),), ())


def grades(chances: dict[str, float], *, moved_mm: float = 0.0, refused: tuple[str, ...] = ()):
    """Return grades of studies by the chance of "yes"."""
    studies = []
    for name, chance in chances.items():
        frame = pl.DataFrame(
            {
                "unit": [name], "study": [name], "subject": [name], "site": [None],
                "target": ["ill"], "probabilities": [[1 - chance, chance]], "fold": [None],
                "predictor": ["any"], "role": ["new"],
            }
        )  # fmt: skip
        points = Keypoints(("p",), np.array([[moved_mm, 0, 0]]), np.ones(1), "network", None)
        said = Predictions.empty() if name in refused else Predictions(frame)
        why = "odd" if name in refused else None
        studies.append(GradedStudy(name, name, name, why, (), {"p": points}, said))
    return Grades(RUBRIC, "hash", "two", tuple(studies))


def labels(truth: dict[str, int]) -> Labels:
    rows = [
        {
            "unit": name, "study": name, "subject": name, "site": None, "target": "ill",
            "probabilities": [1.0 - yes, float(yes)], "weight": 1.0, "origin": "truth",
        }
        for name, yes in truth.items()
    ]  # fmt: skip
    return Labels(pl.DataFrame(rows))


def test_differences_flips_and_points_are_counted():
    """The largest and mean difference, the answers with another grade, and how far points moved."""
    first = grades({"a": 0.2, "b": 0.49, "c": 0.9})
    second = grades({"a": 0.25, "b": 0.51, "c": 0.9}, moved_mm=3.0)
    parity = compare_grades(first, second)

    assert (parity.studies, parity.answers, parity.apart, parity.flips) == (3, 3, 0, 1)
    assert parity.largest == pytest.approx(0.05)
    assert parity.mean == pytest.approx(0.07 / 3)
    assert parity.points_mm == pytest.approx(3.0)


def test_scores_stand_side_by_side_where_labels_are_known():
    """Each metric is given for both, with the difference and its interval."""
    truth = {name: int(name > "c") for name in "abcdef"}
    sure = grades({name: 0.9 if yes else 0.1 for name, yes in truth.items()})
    unsure = grades({name: 0.6 if yes else 0.4 for name, yes in truth.items()})
    found = compare_grades(sure, unsure, labels(truth)).scores["log_loss"]

    assert found["first"] == pytest.approx(-np.log(0.9))
    assert found["second"] == pytest.approx(-np.log(0.6))
    assert found["difference"] == pytest.approx(found["first"] - found["second"])
    assert found["n"] == 6


def test_without_fitting_labels_there_are_no_scores():
    """Labels of other studies say nothing."""
    one = grades({"a": 0.2})

    assert compare_grades(one, one, labels({"z": 1})).scores == {}


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"a": 0.2, "b": 0.495}, None),
        ({"a": 0.25, "b": 0.49}, "off by 0.05, allowed is 0.01"),
        ({"a": 0.2, "b": 0.501}, "1 of 2 answers have another most probable grade"),
        ({"a": 0.2}, "2 studies or answers are in one and not in the other"),
    ],
)
def test_what_is_too_far_apart_is_told(second, words):
    """Probabilities, grades and studies count; the words say which."""
    first = grades({"a": 0.2, "b": 0.499})
    spec = (
        ParitySpec(tolerance=0.01) if words is None or "off" in words else ParitySpec(tolerance=1)
    )
    found = unlike(spec, compare_grades(first, grades(second)))

    assert (found is None) if words is None else words in found


def test_nothing_in_common_is_no_agreement():
    """Where no study was graded, nothing is allowed."""
    nobody = grades({"a": 0.2}, refused=("a",))

    assert "none of the studies was graded" in unlike(
        ParitySpec(tolerance=1, flips=1), compare_grades(nobody, nobody)
    )


def test_one_that_refuses_is_apart():
    """A study that only one can grade counts as apart, with its answers."""
    parity = compare_grades(
        grades({"a": 0.2, "b": 0.4}), grades({"a": 0.2, "b": 0.4}, refused=("b",))
    )

    assert (parity.studies, parity.answers, parity.apart) == (1, 1, 2)
