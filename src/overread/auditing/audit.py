"""The whole audit of a set of tables: every check that they allow, in one ranked review.

Knows records and frames; where they come from, and how a review is shown, it does not know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from overread.auditing.answers import Answers, lay_out_answers
from overread.auditing.arrangement import (
    shift_evidence,
    shift_suspicions,
    swap_evidence,
    swap_suspicions,
)
from overread.auditing.chains import chain_evidence, chain_suspicions
from overread.auditing.duplicates import Picture, copied_pictures, find_copies
from overread.auditing.leaks import copy_suspicions, sibling_suspicions
from overread.auditing.noise import label_evidence, label_suspicions, noise_table
from overread.auditing.points import point_evidence, point_suspicions
from overread.auditing.review import Review, Suspicion
from overread.auditing.spec import AuditSpec
from overread.auditing.splits import fold_suspicions, subject_folds
from overread.records import Labels, Predictions, Rubric

__all__ = ["Tables", "audit"]


@dataclass(frozen=True, eq=False)
class Tables:
    """What is audited.

    Attributes:
        rubric: the questions.
        labels: the truth, as far as it is to be trusted.
        predictions: out of fold, of the predictor to audit; None = only splits, points, pictures.
        folds: columns subject and fold, a row for whatever was given a fold; None = unknown.
        members: what the predictor was joined from, if anything.
        points: as `point_evidence` takes them; None = none.
        pictures: of the set's images, to look for copies.
    """

    rubric: Rubric
    labels: Labels
    predictions: Predictions | None = None
    folds: pl.DataFrame | None = None
    members: Sequence[Predictions] = ()
    points: pl.DataFrame | None = None
    pictures: Sequence[Picture] = ()


def audit(tables: Tables, *, spec: AuditSpec) -> Review:
    """Make every check that the tables allow; those that they do not allow say why.

    Args:
        tables: what is audited.
        spec: settings.

    Raises:
        RecordError: if tables do not belong together.
    """
    found: list[Suspicion] = []
    checks: dict[str, str] = {}
    scores: dict[str, pl.DataFrame] = {}
    _audit_folds(tables, found, checks)
    if tables.predictions is not None:
        answers, members = (
            [lay_out_answers(tables.rubric, tables.labels, one, spec=spec) for one in predictions]
            for predictions in ((tables.predictions,), tables.members)
        )
        found += _leaks(answers[0], members, spec, checks)
        found += _label_errors(answers[0], spec, checks, scores)
    else:
        checks["labels"] = "not made: no predictions were given"
    if tables.points is not None:
        scores["point"] = point_evidence(tables.points, tables.rubric, spec=spec)
        scores["chain"] = chain_evidence(tables.points, tables.rubric, spec=spec)
        found += point_suspicions(scores["point"], spec=spec)[: spec.most_shown]
        found += chain_suspicions(scores["chain"], spec=spec)[: spec.most_shown]
        studies = tables.points["study"].n_unique()
        checks["points"] = f"{len(tables.points)} points of {studies} studies"
        chains = len(scores["chain"])
        checks["chains"] = (
            f"{chains} studies"
            if chains
            else "not made: fewer than two questions whose points tell the level"
        )
    else:
        checks["points"] = "not made: no marked points were given"
    if tables.pictures:
        folds = _one_fold(tables)
        found += copied_pictures(find_copies(tables.pictures, spec=spec), folds, spec=spec)
        checks["copies"] = f"{len(tables.pictures)} pictures, each against each of other studies"
    else:
        checks["copies"] = "not made: no images were given"
    return Review.of(found, checks, scores)


def _audit_folds(tables: Tables, found: list[Suspicion], checks: dict[str, str]) -> None:
    graded = tables.labels.known().frame["subject"].unique().to_list()
    named = _named_folds(tables.predictions)
    if tables.folds is not None:
        found += fold_suspicions(tables.folds, of="folds", graded=graded, other=named)
        checks["folds"] = f"{len(subject_folds(tables.folds))} subjects in their folds"
    elif named is not None:
        found += fold_suspicions(named, of="predictions")
        checks["folds"] = "as the predictions name them"
    else:
        checks["folds"] = "not made: no folds were given, and the predictions name none"


def _named_folds(predictions: Predictions | None) -> pl.DataFrame | None:
    if predictions is None or not predictions.frame["fold"].drop_nulls().len():
        return None
    return predictions.frame.select("subject", "fold")


def _one_fold(tables: Tables) -> Mapping[str, int]:
    rows = tables.folds if tables.folds is not None else _named_folds(tables.predictions)
    if rows is None:
        return {}
    return {
        subject: folds[0]
        for subject, folds in subject_folds(rows).select("subject", "folds").iter_rows()
        if len(folds) == 1
    }


def _leaks(
    answers: Sequence[Answers],
    members: Sequence[Sequence[Answers]],
    spec: AuditSpec,
    checks: dict[str, str],
) -> list[Suspicion]:
    found = [one for table in (answers, *members) for one in copy_suspicions(table, spec=spec)]
    checks["copied labels"] = _counted(answers, spec)
    checks["stacker"] = "not made: no members were given"
    if members:
        found += sibling_suspicions(answers, members, spec=spec)
        checks["stacker"] = f"against {len(members)} members"
    return found


def _label_errors(
    answers: Sequence[Answers],
    spec: AuditSpec,
    checks: dict[str, str],
    scores: dict[str, pl.DataFrame],
) -> list[Suspicion]:
    scores["label"], scores["noise"] = label_evidence(answers), noise_table(answers)
    scores["side_swap"], scores["level_shift"] = swap_evidence(answers), shift_evidence(answers)
    checks["labels"] = f"{len(scores['label'])} labels beside their answers"
    for name, words in (("side_swap", "paired questions"), ("level_shift", "sites in order")):
        rows = len(scores[name])
        checks[name.replace("_", " ")] = f"{rows} studies" if rows else f"not made: no {words}"
    parts = (
        label_suspicions(scores["label"], spec=spec),
        swap_suspicions(scores["side_swap"], spec=spec),
        shift_suspicions(scores["level_shift"], answers[0].sites, spec=spec),
    )
    return [one for part in parts for one in part[: spec.most_shown]]


def _counted(answers: Sequence[Answers], spec: AuditSpec) -> str:
    small = [one.target.name for one in answers if (one.graded & one.answered).sum() < spec.fewest]
    if not small:
        return f"{len(answers)} questions"
    return (
        f"{len(answers) - len(small)} questions; not made of {', '.join(small)}: fewer than "
        f"{spec.fewest} graded units"
    )
