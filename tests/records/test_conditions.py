"""Conditions: sides together, everything else alone."""

from overread.records import Rubric, Target, conditions

GRADES = {"grades": ("0", "1"), "weights": (1.0, 1.0)}


def pair(one, other):
    return Target(one, mirror=other, **GRADES), Target(other, mirror=one, **GRADES)


def test_sides_are_one_condition():
    """Mirror partners stand together under the words that both names share, in rubric order."""
    spinal = Target("spinal", **GRADES)
    right, left = pair("right_neural_foramen", "left_neural_foramen")
    found = conditions(Rubric("r", "study", (right, spinal, left)))

    assert {"neural_foramen": (right, left), "spinal": (spinal,)} == found


def test_names_without_a_shared_word():
    """A pair whose names share no word is called by the first."""
    assert list(conditions(Rubric("r", "study", pair("sinister", "dexter")))) == ["sinister"]


def test_a_name_that_is_taken():
    """A pair never takes the name of another target."""
    rubric = Rubric("r", "study", (Target("hip", **GRADES), *pair("left_hip", "right_hip")))

    assert list(conditions(rubric)) == ["hip", "left_hip"]
