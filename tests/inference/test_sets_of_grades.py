"""Sets beside grades: in the JSON and in the table, where the bundle has thresholds for them."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tiny_recipe import RUBRIC, bundle
from tiny_studies import LEVELS, study_pixels

from overread.ensembling import ConformalSpec
from overread.inference import Bundle, GradedStudy, Grades, grade_study
from overread.inference.joining import final_sets
from overread.records import Predictions

SPEC = ConformalSpec(coverage=0.8)
# The first row holds for all sites; severe stays unless nearly all the rest is milder.
THRESHOLDS = {
    "threshold.canal": np.array([[0.3, 0.4, 0.9]]),
    "threshold.foramen": np.array([[0.3, 0.4, 0.8]]),
}


def answers() -> Predictions:
    """A sure and a doubtful answer about the canal, one about a foramen."""
    rows = [
        (LEVELS[0], "canal", [0.96, 0.03, 0.01]),
        (LEVELS[1], "canal", [0.2, 0.45, 0.35]),
        (LEVELS[0], "left_foramen", [0.1, 0.1, 0.8]),
    ]
    return Predictions(
        pl.DataFrame(
            [
                {
                    "unit": f"7@{site}",
                    "study": "7",
                    "subject": "p",
                    "site": site,
                    "target": target,
                    "probabilities": chances,
                    "fold": None,
                    "predictor": "wide",
                    "role": "new",
                }
                for site, target, chances in rows
            ],
            schema=Predictions.schema,
        )
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Bundle:
    """A bundle with thresholds, saved and read again."""
    folder = tmp_path_factory.mktemp("bundle") / "b"
    replace(bundle(folds=1, sets=SPEC), thresholds=THRESHOLDS).save(folder)
    return Bundle.load(folder)


def graded(whole: Bundle) -> Grades:
    said = answers()
    study = GradedStudy("7", "1.2", "p", predictions=said, sets=final_sets(whole, said))
    coverage = whole.recipe.sets.coverage if whole.recipe.sets else None
    return Grades(RUBRIC, "f" * 64, "tiny", (study,), coverage=coverage)


def test_a_bundle_keeps_thresholds(kept) -> None:
    """How sets are made, and from what thresholds, comes back from the folder."""
    assert kept.recipe.sets == SPEC
    assert {name: one.tolist() for name, one in THRESHOLDS.items()} == {
        name: one.tolist() for name, one in kept.thresholds.items()
    }


def test_json_tells_sets(kept) -> None:
    """Each answer has the grades that are not ruled out, mildest first, and coverage is told."""
    content = json.loads(json.dumps(graded(kept).to_json()))
    units = {unit["site"]: unit["targets"] for unit in content["studies"][0]["units"]}

    assert content["coverage"] == 0.8
    assert units[LEVELS[0]]["canal"]["set"] == ["normal"]
    assert units[LEVELS[1]]["canal"]["set"] == ["moderate", "severe"]
    assert units[LEVELS[0]]["left_foramen"]["set"] == ["severe"]


def test_table_tells_sets(kept) -> None:
    """The table has a column of sets."""
    table = graded(kept).to_frame().sort("site", "target")

    assert sorted(table["set"]) == ["moderate | severe", "normal", "severe"]


def test_without_thresholds_nothing_is_said() -> None:
    """A bundle without thresholds makes no sets; JSON and table are what they were."""
    plain = graded(bundle(folds=1))
    content = plain.to_json()

    assert "coverage" not in content
    assert "set" not in content["studies"][0]["units"][0]["targets"]["canal"]
    assert "set" not in plain.to_frame().columns
    assert plain.studies[0].set_of(f"7@{LEVELS[0]}", "canal") is None


def test_a_new_study_gets_sets(kept) -> None:
    """Grading gives a set to each answer, no more and no fewer."""
    study = grade_study(kept, study_pixels())
    same = ["unit", "target"]

    assert len(study.sets) == 15
    assert (
        study.sets.frame.select(same)
        .sort(same)
        .equals(study.predictions.frame.select(same).sort(same))
    )
