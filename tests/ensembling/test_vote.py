"""Several photographs of a person vote on what is the person's."""

import polars as pl
import pytest

from overread.ensembling import join, join_new
from overread.records import Folds, Labels, Predictions, Rubric, Target
from overread.shelf import Named

RUBRIC = Rubric(
    "faces",
    "photo",
    (
        Target("mask", ("worn", "not_worn"), (1.0, 1.0), "binary"),
        Target("gender", ("male", "female"), (1.0, 1.0), "binary"),
    ),
)
# unit, person, chance of "not_worn", chance of "female"
PHOTOS = (("a1", "a", 0.1, 0.9), ("a2", "a", 0.8, 0.3), ("b1", "b", 0.2, 0.2))
VOTE = Named.model_validate({"use": "vote", "of_person": ["gender"]})


def member(name: str, role: str = "oof") -> Predictions:
    rows = [
        {
            "unit": unit,
            "study": unit,
            "subject": person,
            "site": None,
            "target": target,
            "probabilities": [1 - chance, chance],
            "fold": 0,
            "predictor": name,
            "role": role,
        }
        for unit, person, mask, gender in PHOTOS
        for target, chance in (("mask", mask), ("gender", gender))
    ]
    return Predictions(pl.DataFrame(rows, schema=Predictions.schema))


def test_a_persons_photographs_have_one_gender_and_their_own_masks() -> None:
    """Gender is the mean over the person's photographs; the mask stays each photograph's."""
    folds = Folds(pl.DataFrame({"subject": ["a", "b"], "fold": [0, 1]}))
    found = join(VOTE, [member("ours")], Labels.empty(), folds, RUBRIC)

    assert pytest.approx(found.array("gender")[1][:, 1].tolist()) == [0.6, 0.6, 0.2]
    assert pytest.approx(found.array("mask")[1][:, 1].tolist()) == [0.1, 0.8, 0.2]


def test_all_targets_are_voted_on_unless_some_are_named() -> None:
    """Without names every target is the person's; new photographs vote as well."""
    found = join_new(Named(use="vote"), [member("ours", "new")], {}, RUBRIC, name="vote")

    assert pytest.approx(found.array("mask")[1][:, 1].tolist()) == [0.45, 0.45, 0.2]
