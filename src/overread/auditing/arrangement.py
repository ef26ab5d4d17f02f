"""Were left and right exchanged, or all levels named one too high? A likelihood ratio per study.

If the labels of a study were written to the wrong side or level, out-of-fold answers fit them
better after they are put back. The evidence is the log of that ratio, in nats: sums over all
questions of log P(label | answer at the other place) - log P(label | answer at its own place).
A study whose labels read the same in both arrangements has evidence 0: nothing can be told, and
nothing would be wrong. Knows no pixels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.auditing.answers import Answers
from overread.auditing.review import Suspicion
from overread.auditing.spec import AuditSpec, rarity

__all__ = ["shift_evidence", "shift_suspicions", "swap_evidence", "swap_suspicions"]

Floats = NDArray[np.float64]


def swap_evidence(answers: Sequence[Answers]) -> pl.DataFrame:
    """Weigh, for each study, that all labels of left and right were exchanged.

    Args:
        answers: questions of one rubric; those without a mirror partner say nothing.

    Returns:
        study, subject, evidence (nats), and a column per question, which sum to it; sorted by
        study. Empty without paired questions.
    """
    by_name = {one.target.name: one for one in answers}
    parts = {}
    for one in answers:
        other = by_name.get(one.target.mirror or "")
        if other is not None:
            parts[one.target.name] = _gain(one, other.believed)
    return _frame(answers, parts)


def shift_evidence(answers: Sequence[Answers]) -> pl.DataFrame:
    """Weigh, for each study, that all labels stand one site too far on or back.

    The label at the end, whose own site is outside the rubric, is held against the share of each
    grade.

    Args:
        answers: questions of one rubric with ordered sites.

    Returns:
        study, subject, evidence (nats; either direction, half a chance each), steps (+1: labels
        stand one site further along than they belong, -1: one site before), and a column per
        question for that direction; sorted by study. Empty without sites.
    """
    if not answers or len(answers[0].sites) < 2:
        return _frame(answers, {})
    ways = {steps: _moved(answers, steps) for steps in (1, -1)}
    sums = {steps: np.sum(list(parts.values()), axis=0) for steps, parts in ways.items()}
    evidence = np.logaddexp(sums[1], sums[-1]) - np.log(2)
    onward = sums[1] >= sums[-1]
    parts = {name: np.where(onward, ways[1][name], ways[-1][name]) for name in ways[1]}
    frame = _frame(answers, parts)
    return frame.with_columns(
        evidence=pl.Series(evidence), steps=pl.Series(np.where(onward, 1, -1))
    )


def swap_suspicions(frame: pl.DataFrame, *, spec: AuditSpec) -> list[Suspicion]:
    """Return the studies whose exchange of sides is more likely than not."""
    return [
        Suspicion(
            "side_swap",
            "review",
            row["evidence"],
            f"the answers fit the labels {_times(row['evidence'])} better with left and right "
            f"exchanged ({_parts(row)}), expected them to fit as they stand; look whether "
            "the sides of this study were exchanged",
            row["study"],
        )
        for row in _likely(frame, rarity(spec.swaps))
    ]


def shift_suspicions(
    frame: pl.DataFrame, sites: Sequence[str | None], *, spec: AuditSpec
) -> list[Suspicion]:
    """Return the studies whose labels more likely than not stand one site off."""
    ends = f"{sites[0]} towards {sites[-1]}" if sites else ""
    ways = {1: f"one site too far (from {ends})", -1: f"one site too early (from {ends})"}
    return [
        Suspicion(
            "level_shift",
            "review",
            row["evidence"],
            f"the answers fit the labels {_times(row['evidence'])} better if these stand "
            f"{ways[row['steps']]} ({_parts(row)}), expected them to fit as they stand; count the "
            "levels of this study again",
            row["study"],
        )
        for row in _likely(frame, rarity(spec.shifts))
    ]


def _gain(one: Answers, other: Floats) -> Floats:
    """Return (s, l) log P(label | other answers) - log P(label | own answers); 0 where unknown."""
    truth = np.where(one.graded[..., None], one.truth, 0.0)
    return np.asarray((truth * (np.log(other) - np.log(one.believed))).sum(axis=2))


def _moved(answers: Sequence[Answers], steps: int) -> dict[str, Floats]:
    found = {}
    for one in answers:
        other = np.roll(one.believed, steps, axis=1)
        other[:, 0 if steps > 0 else -1] = one.prior
        found[one.target.name] = _gain(one, other).sum(axis=1)
    return found


def _frame(answers: Sequence[Answers], parts: Mapping[str, Floats]) -> pl.DataFrame:
    schema = {"study": pl.String, "subject": pl.String, "evidence": pl.Float64}
    if not parts:
        return pl.DataFrame(schema=schema)
    columns = {name: part.sum(axis=1) if part.ndim > 1 else part for name, part in parts.items()}
    total = np.sum(list(columns.values()), axis=0)
    names = {"study": answers[0].studies, "subject": answers[0].subjects}
    return pl.DataFrame({**names, "evidence": total, **columns}).sort("study")


def _likely(frame: pl.DataFrame, needed: float) -> list[dict[str, Any]]:
    return frame.filter(pl.col("evidence") > needed).sort("evidence", descending=True).to_dicts()


def _times(nats: float) -> str:
    return f"{np.exp(nats):.0f} times" if nats < 10 else f"10^{nats / np.log(10):.0f} times"


def _parts(row: Mapping[str, Any]) -> str:
    """Return the questions that say so, the loudest first."""
    skipped = {"study", "subject", "evidence", "steps"}
    said = {name: value for name, value in row.items() if name not in skipped}
    loud = sorted(said.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name.replace('_', ' ')} {value:+.1f} nats" for name, value in loud)
