"""A student's labels: what is true, and what its teachers say besides."""

import pytest
from test_pseudo import FULL, TRUTH, labels, said

from overread.learning import PseudoSource, PseudoSpec, fill_labels


def test_graded_cells_are_mixed_and_empty_ones_filled() -> None:
    """With a share of truth a graded cell keeps that share; the rest is the teachers' mean."""
    other = {key: [0.6, 0.4] for key in TRUTH}
    mixed = fill_labels(labels(TRUTH), [said("a", FULL), said("b", other)], truth=0.25).frame
    found = {(row["study"], row["target"]): row for row in mixed.iter_rows(named=True)}

    assert found["1", "canal"]["probabilities"] == pytest.approx([0.25 + 0.75 * 0.4, 0.75 * 0.6])
    assert found["2", "left"]["probabilities"] == pytest.approx([0.75 * 0.4, 0.25 + 0.75 * 0.6])
    assert found["1", "left"]["probabilities"] == pytest.approx([0.4, 0.6])
    assert {row["origin"] for row in found.values()} == {"pseudo"}


def test_cells_that_no_teacher_answers_keep_their_grade() -> None:
    """Teachers of a fold say nothing of its studies, and may answer some targets only."""
    some = {("1", "canal"): [0.2, 0.8], ("1", "left"): [0.2, 0.8]}
    mixed = fill_labels(labels(TRUTH), [said("a", some)], truth=0.0).frame
    found = {(row["study"], row["target"]): row for row in mixed.iter_rows(named=True)}

    assert found["1", "canal"]["probabilities"] == pytest.approx([0.2, 0.8])
    assert found["2", "left"]["probabilities"] == [0.0, 1.0]
    assert found["2", "left"]["origin"] == "truth"
    assert found["2", "canal"]["probabilities"] is None


def test_share_of_truth_makes_old_labels_no_other() -> None:
    """Pseudo-labels that keep the truth have the identity that they had."""
    spec = PseudoSpec(sources=(PseudoSource(of=("a",)),))

    assert "truth" not in spec.identity()
    assert PseudoSpec(sources=spec.sources, truth=0.5).identity()["truth"] == 0.5
