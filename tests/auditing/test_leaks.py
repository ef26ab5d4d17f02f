"""Predictions that have seen the labels are told from those that have not."""

import numpy as np
import planted
import polars as pl
import pytest

from overread.auditing import (
    AuditSpec,
    copy_suspicions,
    fold_suspicions,
    lay_out_answers,
    never_wrong,
    seeing_columns,
    seeing_suspicions,
    sibling_leak,
    sibling_suspicions,
)

SPEC = AuditSpec()


def _answers(labels, predictions):
    return lay_out_answers(planted.RUBRIC, labels, predictions, spec=SPEC)


def test_an_honest_table_is_not_refused() -> None:
    """A good network, and the same made flat or sharp, may stand."""
    labels, predictions = planted.world()
    for power in (0.7, 1.0, 2.0):
        said = planted.values_of(predictions) ** power
        table = planted.predictions_of(said / said.sum(-1, keepdims=True))

        assert copy_suspicions(_answers(labels, table), spec=SPEC) == []


@pytest.mark.parametrize("share", [1.0, 0.9, 0.5])
def test_a_smoothed_copy_is_refused(share) -> None:
    """Labels made soft, however soft, are labels still."""
    labels, _ = planted.world()
    copy = planted.predictions_of(share * planted.values_of(labels) + (1 - share) / 3)
    found = copy_suspicions(_answers(labels, copy), spec=SPEC)

    assert [(one.kind, one.verdict) for one in found] == [("leak", "refuse")] * 2
    assert "have not seen these labels" in found[0].reason


@pytest.mark.parametrize("share", [0.3, 0.2, 0.1])
def test_a_copy_that_is_blended_in_is_refused(share) -> None:
    """A tenth of the labels in honest answers shows: they are never quite wrong."""
    labels, predictions = planted.world(studies=400)
    said = (1 - share) * planted.values_of(predictions) + share * planted.values_of(labels)
    found = copy_suspicions(_answers(labels, planted.predictions_of(said)), spec=SPEC)

    assert {"left", "right"} == {one.target for one in found}


def test_a_copy_of_neighbouring_levels_is_refused() -> None:
    """Labels smoothed along the spine are refused as well."""
    labels, _ = planted.world()
    truth = planted.values_of(labels)
    near = (np.roll(truth, 1, axis=2) + np.roll(truth, -1, axis=2)) / 2
    found = copy_suspicions(_answers(labels, planted.predictions_of((truth + near) / 2)), spec=SPEC)

    assert len(found) == 2


def test_few_units_refuse_nothing() -> None:
    """Twenty right answers of twenty are luck, not a leak."""
    labels, _ = planted.world(studies=4)
    copy = planted.predictions_of(planted.values_of(labels))

    assert copy_suspicions(_answers(labels, copy), spec=SPEC) == []


def test_never_wrong_counts_what_was_said_and_what_came_true() -> None:
    """Of a hundred units called 10 % likely, ten should come true."""
    said = np.tile([0.9, 0.1], (100, 1))
    truth = np.tile([1.0, 0.0], (100, 1))
    [found] = [one for one in never_wrong(truth, said) if one.called == 0.1]

    assert (pytest.approx(10.0), 0.0) == (found.expected, found.seen)
    assert pytest.approx(10.0) == found.evidence


def _stacked(by_row: bool):
    """A stacker on what all answers of a study say: neighbours' labels through row-wise folds."""
    labels, predictions = planted.world(studies=400, seed=2, reader=0.8)
    grade = planted.values_of(labels).argmax(-1).reshape(400, 10)
    said = planted.values_of(predictions).reshape(400, 10, 3)
    expected = said @ np.arange(3)
    study, place = np.divmod(np.arange(4000), 10)
    fold = np.random.default_rng(0).integers(4, size=4000) if by_row else study % 4
    joined = expected.ravel().copy()
    for one in range(4):
        train, test = fold != one, fold == one
        # Nearest study by the answers to all its rows: the study itself, if rows were split.
        apart = ((expected[:, None] - expected[None]) ** 2).sum(-1)
        residual = np.where(train, (grade - expected).ravel(), np.nan).reshape(400, 10)
        open_rows = np.isfinite(residual).any(1)
        mean = np.nan_to_num(np.nanmean(np.where(open_rows[:, None], residual, 0.0), axis=1))
        near = np.argsort(np.where(open_rows[None], apart, np.inf), axis=1)[:, :3]
        joined[test] += 0.7 * mean[near].mean(1)[study[test]]
    del place
    high = np.clip(joined, 0, 2)
    chances = np.stack([np.clip(1 - high, 0, 1), 1 - np.abs(high - 1), np.clip(high - 1, 0, 1)], -1)
    chances = (0.98 * chances + 0.02 / 3).reshape(400, 2, 5, 3)
    return labels, predictions, planted.predictions_of(chances, name="stack")


@pytest.mark.parametrize("by_row", [True, False])
def test_a_stacker_with_folds_of_rows_is_refused(by_row) -> None:
    """It follows the labels of a unit's siblings; the same with folds of subjects does not."""
    labels, member, stack = _stacked(by_row)
    found = sibling_suspicions(_answers(labels, stack), [_answers(labels, member)], spec=SPEC)

    assert by_row == bool(found)


def test_a_mean_of_members_follows_no_siblings() -> None:
    """A joiner that learns nothing has no correlation to speak of."""
    labels, first = planted.world(seed=3)
    flat = planted.predictions_of(0.5 * planted.values_of(first) + 0.5 / 3, name="mean")
    leak = sibling_leak(_answers(labels, flat), [_answers(labels, first)])

    assert abs(leak.z) < SPEC.sibling_z


def test_folds_of_rows_are_refused() -> None:
    """The words say that folds were given to rows; folds of subjects are fine."""
    labels, _ = planted.world(studies=20)
    found = fold_suspicions(planted.folds_by_row(labels), of="folds.csv")

    assert [(one.kind, one.verdict) for one in found] == [("leak", "refuse")]
    assert "folds.csv: folds are given to rows, not to subjects: found 20 of 20" in found[0].reason
    assert fold_suspicions(planted.folds_by_study(labels), of="folds.csv") == []


def test_one_subject_in_two_folds_is_refused_and_named() -> None:
    """A single slip is enough."""
    labels, _ = planted.world(studies=20)
    folds = planted.folds_by_study(labels)
    twice = pl.concat([folds, folds, pl.DataFrame({"subject": ["s007"], "fold": [2]})])
    found = fold_suspicions(twice, of="folds")

    assert "subjects are in several folds: found 1 of 20" in found[0].reason
    assert found[0].study == "s007"


def test_folds_that_contradict_the_predictions_are_refused() -> None:
    """A network that was trained with another split has seen some of these subjects."""
    labels, predictions = planted.world(studies=20)
    named = predictions.frame.select("subject", "fold")
    found = fold_suspicions(planted.folds_by_study(labels), of="folds", other=named)

    assert "another fold than the predictions name" in found[0].reason


def test_subjects_without_a_fold_are_told() -> None:
    """They are named for review, not refused."""
    labels, _ = planted.world(studies=20)
    graded = [*labels.frame["subject"].unique(), "stranger"]
    found = fold_suspicions(planted.folds_by_study(labels), of="folds", graded=graded)

    assert [(one.kind, one.verdict) for one in found] == [("split", "review")]
    assert "such as stranger" in found[0].reason


def test_a_column_that_knows_the_target_is_refused() -> None:
    """A folder name or a number that tells the grade is found; honest columns are not."""
    rng = np.random.default_rng(0)
    truth = rng.random(400) < 0.3
    table = pl.DataFrame(
        {
            "folder": np.where(truth, "case", "control"),
            "dose": truth * 10 + rng.normal(size=400),
            "age": rng.normal(60, 10, 400) + 3 * truth,
            "uid": [str(index) for index in range(400)],
            "note": pl.Series(np.where(truth, None, "seen"), dtype=pl.String),
        }
    )
    frame = seeing_columns(table, pl.Series(truth), spec=SPEC)
    found = seeing_suspicions(frame, of="headers", target="bleeding")

    assert {"folder", "dose", "note"} == set(frame.filter(pl.col("seen"))["column"])
    assert "headers: column dose (number) alone tells bleeding" in " ".join(
        one.reason for one in found
    )
