"""Pseudo-labels fill what nobody graded, and nothing else."""

import polars as pl
import pytest

from overread.learning import PseudoSource, PseudoSpec, fill_labels
from overread.records import Labels, Predictions, RecordError

TARGETS = ("canal", "left")


def labels(cells: dict[tuple[str, str], list[float] | None]) -> Labels:
    """A cell for each (study, target)."""
    rows = [
        {
            "unit": study,
            "study": study,
            "subject": study,
            "site": None,
            "target": target,
            "probabilities": chances,
            "weight": 1.0,
            "origin": "truth",
        }
        for (study, target), chances in cells.items()
    ]
    return Labels(pl.DataFrame(rows, schema=Labels.schema))


def said(predictor: str, cells: dict[tuple[str, str], list[float]]) -> Predictions:
    """What a teacher says of cells."""
    rows = [
        {
            "unit": study,
            "study": study,
            "subject": study,
            "site": None,
            "target": target,
            "probabilities": chances,
            "fold": 0,
            "predictor": predictor,
            "role": "oof",
        }
        for (study, target), chances in cells.items()
    ]
    return Predictions(pl.DataFrame(rows, schema=Predictions.schema))


TRUTH = {
    ("1", "canal"): [1.0, 0.0],
    ("1", "left"): None,
    ("2", "canal"): None,
    ("2", "left"): [0.0, 1.0],
}
FULL = {key: [0.2, 0.8] for key in TRUTH}


def test_only_empty_cells_change_and_are_the_mean_of_the_teachers() -> None:
    """A graded cell stays as it is, whatever the teachers say."""
    other = {key: [0.6, 0.4] for key in TRUTH}
    filled = fill_labels(labels(TRUTH), [said("a", FULL), said("b", other)]).frame
    found = {(row["study"], row["target"]): row for row in filled.iter_rows(named=True)}

    assert found["1", "canal"]["probabilities"] == [1.0, 0.0]
    assert found["1", "left"]["probabilities"] == pytest.approx([0.4, 0.6])
    assert {study + target: row["origin"] for (study, target), row in found.items()} == {
        "1canal": "truth",
        "1left": "pseudo",
        "2canal": "pseudo",
        "2left": "truth",
    }


def test_cells_of_studies_that_no_teacher_saw_stay_empty() -> None:
    """The teachers of a fold say nothing of the fold's own studies."""
    first = {key: value for key, value in FULL.items() if key[0] == "1"}
    filled = fill_labels(labels(TRUTH), [said("a", first)]).frame

    assert filled.filter(study="2", target="canal")["probabilities"].to_list() == [None]


def test_an_answered_study_needs_an_answer_for_each_empty_cell() -> None:
    """A forgotten source would leave cells empty without a word."""
    canal = {key: value for key, value in FULL.items() if key[1] == "canal"}

    with pytest.raises(RecordError, match=r"1 cells without a grade .* such as left of 1"):
        fill_labels(labels(TRUTH), [said("a", canal)])


def test_teachers_are_told_once_each() -> None:
    """A member that fills several targets is one teacher; honest folds are the default."""
    sources = (PseudoSource(of=("a", "b"), targets=("canal",)), PseudoSource(of=("b",)))

    assert PseudoSpec(sources=sources).members == ("a", "b")
    assert PseudoSpec(sources=sources).teachers == "same_fold"
