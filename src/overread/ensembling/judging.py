"""How good answers to a book are, as one number that is smaller when they are better.

The number is a metric of the shelf of metrics, computed on arrays so that a search can ask for it
a thousand times; without a name, the mean over conditions of the weighted log loss.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from overread.ensembling.conditions import conditions, graded_parts, site_index
from overread.ensembling.sheets import Book, JoinError, Sheet, Truths
from overread.scoring import Exam, Graded, better
from overread.shelf import Named, settings_of

__all__ = ["Judge", "judge_of"]

Floats = NDArray[np.float64]
Judge = Callable[[Mapping[str, Floats]], float]
"""{target: (n, grades)} to a number; smaller is better."""


def judge_of(metric: Named | None, book: Book, truths: Truths) -> Judge:
    """Return the judge of answers to the units of this book; units without truth do not count.

    Args:
        metric: on the shelf of metrics; its total is used. None = the weighted log loss.
        book: whose units are answered.
        truths: of its targets.
    """
    return _loss(book, truths) if metric is None else _metric(metric, book, truths)


def _loss(book: Book, truths: Truths) -> Judge:
    graded = {
        name: (sheets, *graded_parts(sheets, truths, weighted=True))
        for name, sheets in conditions(book).items()
    }
    graded = {name: one for name, one in graded.items() if len(one[2])}

    def judge(answers: Mapping[str, Floats]) -> float:
        losses = []
        for sheets, keeps, parts in graded.values():
            ours = [answers[one.target.name][keep] for one, keep in zip(sheets, keeps, strict=True)]
            logs = np.log(np.maximum(np.concatenate(ours), np.finfo(np.float64).tiny))
            losses.append(-(parts * logs).sum() / parts.sum())
        return float(np.mean(losses)) if losses else float("nan")

    return judge


def _metric(metric: Named, book: Book, truths: Truths) -> Judge:
    module, spec = settings_of("overread.scoring", metric)
    sign = 1.0 if better(metric) == "lower" else -1.0
    places = {
        column: {name: index for index, name in enumerate(_all(book, column))}
        for column in ("subject", "study", "unit")
    }
    keeps = {name: np.flatnonzero(np.isfinite(one).all(axis=1)) for name, one in truths.items()}
    blank = [_graded(book, sheet, truths, keeps, places) for sheet in book]
    everybody = np.ones((1, len(places["subject"])))

    def judge(answers: Mapping[str, Floats]) -> float:
        graded = tuple(
            Graded(
                one.target,
                one.truth,
                answers[one.target.name][keeps[one.target.name]],
                one.subject,
                one.study,
                one.site,
                one.unit,
                one.num_subjects,
            )
            for one in blank
            if len(one)
        )
        exam = Exam(book.rubric, tuple(places["subject"]), graded)
        measures = module.measures(spec, exam)
        if not measures:
            raise JoinError(f"{metric.use} measures none of these targets; choose another metric")
        return sign * float(measures[0].weighed(everybody)[0])

    return judge


def _all(book: Book, column: str) -> list[str]:
    return sorted(set().union(*(sheet.units[column].to_list() for sheet in book)))


def _graded(
    book: Book,
    sheet: Sheet,
    truths: Truths,
    keeps: Mapping[str, NDArray[np.int64]],
    places: Mapping[str, Mapping[str, int]],
) -> Graded:
    keep = keeps[sheet.target.name]
    units = sheet.units[keep]
    subject, study, unit = (
        np.array([places[column][name] for name in units[column]], np.int64)
        for column in ("subject", "study", "unit")
    )
    truth = truths[sheet.target.name][keep]
    site = site_index(book, sheet)[keep]
    return Graded(sheet.target, truth, truth, subject, study, site, unit, len(places["subject"]))
