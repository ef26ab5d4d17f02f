"""Planted errors of labels are found, and explained."""

import numpy as np
import planted
import pytest
from cleanlab.count import compute_confident_joint
from sklearn.metrics import roc_auc_score

from overread.auditing import (
    AuditSpec,
    confident_joint,
    flip_grades,
    label_evidence,
    label_suspicions,
    lay_out_answers,
    noise_table,
    shift_evidence,
    shift_sites,
    shift_suspicions,
    swap_evidence,
    swap_sides,
    swap_suspicions,
)
from overread.records import Labels, Predictions, RecordError

SPEC = AuditSpec()


def _answers(labels: Labels, predictions: Predictions):
    return lay_out_answers(planted.RUBRIC, labels, predictions, spec=SPEC)


def test_answers_are_made_calibrated() -> None:
    """Answers that were made too sharp say after all what share of labels has each grade."""
    labels, predictions = planted.world(studies=400)
    sharp = planted.values_of(predictions) ** 4
    sharp = planted.predictions_of(sharp / sharp.sum(-1, keepdims=True))
    answers = _answers(labels, sharp)
    both = [
        np.concatenate([getattr(one, name) for one in answers]) for name in ("truth", "believed")
    ]
    truth, believed = (part.mean((0, 1)).tolist() for part in both)

    assert pytest.approx(truth, abs=0.004) == believed


def test_units_without_an_answer_or_a_label_stay_apart() -> None:
    """What is missing in one table is known to be missing, and counts as the share of the set."""
    labels, predictions = planted.world(studies=40)
    few = Predictions(predictions.frame.filter(~(predictions.frame["unit"] == "s003@L2")))
    answer = _answers(labels, few)[0]

    assert answer.answered.sum() == 40 * 5 - 1
    assert answer.graded.all()
    assert pytest.approx(1.0) == answer.believed[3, 1].sum()


def test_two_predictors_at_once_are_refused() -> None:
    """The words name them."""
    labels, predictions = planted.world(studies=20)
    other = planted.predictions_of(planted.values_of(predictions), name="other")

    with pytest.raises(RecordError, match=r"found \['net', 'other'\]"):
        _answers(labels, Predictions.concat([predictions, other]))


def test_shifted_studies_come_first() -> None:
    """Labels moved by one level are told from all others, with the direction."""
    labels, predictions = planted.world()
    moved, truth = shift_sites(labels, planted.RUBRIC, share=0.04, seed=1)
    frame = shift_evidence(_answers(moved, predictions))
    hits = np.array([study in truth for study in frame["study"]])

    assert len(truth) == 6
    assert roc_auc_score(hits, frame["evidence"]) > 0.9
    told = shift_suspicions(frame, planted.LEVELS, spec=SPEC)
    assert told[0].study in truth
    assert "count the levels" in told[0].reason


def test_swapped_studies_come_first() -> None:
    """Labels of exchanged sides are told from all others."""
    labels, predictions = planted.world()
    swapped, truth = swap_sides(labels, planted.RUBRIC, share=0.04, seed=1)
    frame = swap_evidence(_answers(swapped, predictions))
    hits = np.array([study in truth for study in frame["study"]])

    assert roc_auc_score(hits, frame["evidence"]) > 0.85
    assert swap_suspicions(frame, spec=SPEC)[0].study in truth


def test_equal_sides_say_nothing_of_a_swap() -> None:
    """A study whose labels read alike after the exchange has evidence zero."""
    _, predictions = planted.world(studies=60)
    same = np.tile(np.eye(3)[0], (60, 2, 5, 1))
    frame = swap_evidence(_answers(planted.labels_of(same), predictions))

    assert pytest.approx(np.zeros(60), abs=1e-9) == frame["evidence"].to_numpy()


def test_flipped_labels_come_first() -> None:
    """Labels changed by one grade are told from all others; the reason names both grades."""
    labels, predictions = planted.world()
    flipped, truth = flip_grades(labels, planted.RUBRIC, share=0.03, seed=1)
    frame = label_evidence(_answers(flipped, predictions))
    rows = frame.select("study", "site", "target").iter_rows()
    hits = np.array([(f"{study}@{site}", target) in truth for study, site, target in rows])

    assert roc_auc_score(hits, frame["evidence"]) > 0.85
    first = label_suspicions(frame, spec=SPEC)[0]
    assert (f"{first.study}@{first.site}", first.target) in truth
    assert "expected" in first.reason


def test_planting_is_repeatable_and_changes_what_it_says() -> None:
    """The same seed plants the same; every named study reads otherwise than before."""
    labels, _ = planted.world(studies=60)
    once, twice = (swap_sides(labels, planted.RUBRIC, share=0.1, seed=3) for _ in range(2))
    before, after = planted.values_of(labels), planted.values_of(once[0])
    changed = {f"s{study:03d}" for study in np.flatnonzero((before != after).any((1, 2, 3)))}

    assert once[1] == twice[1]
    assert changed == once[1]


def test_confident_joint_equals_cleanlab() -> None:
    """The counts of label against confident grade are those of the reference."""
    rng = np.random.default_rng(5)
    chances = rng.dirichlet((1, 0.7, 0.4), 900)
    grade = np.array([rng.choice(3, p=row) for row in 0.8 * chances + 0.2 / 3])
    expected = compute_confident_joint(grade, chances, calibrate=False)

    assert expected.tolist() == confident_joint(grade, chances).tolist()


def test_noise_table_tells_which_way_labels_go_wrong() -> None:
    """After flips, the share of labels that are confidently of a neighbour grows."""
    labels, predictions = planted.world()
    flipped, _ = flip_grades(labels, planted.RUBRIC, share=0.2, seed=1)

    def wrong(table: Labels) -> int:
        frame = noise_table(_answers(table, predictions))
        return int(frame.filter(frame["labelled"] != frame["confident"])["count"].sum())

    assert wrong(flipped) > 1.5 * wrong(labels)
