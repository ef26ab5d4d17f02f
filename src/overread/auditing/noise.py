"""Which labels are probably wrong? Confident learning, aware of the order of grades.

Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70
(2021): a unit counts as confidently of a grade when its probability reaches the mean probability of
that grade among the units that are labelled so. The table of label against confident grade, the
confident joint, estimates how labels go wrong. A single label is ranked by the posterior odds that
its grade is another one: of ordered grades, a slip to a neighbour is what readers do. Knows no
pixels.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.auditing.answers import Answers
from overread.auditing.review import Suspicion
from overread.auditing.spec import AuditSpec, rarity
from overread.records import Target

__all__ = ["confident_joint", "label_evidence", "label_suspicions", "noise_table"]

Floats = NDArray[np.float64]
# As cleanlab: a probability equal to the threshold reaches it, whatever the last bits say.
TOUCHES = 1e-6


def confident_joint(grade: NDArray[np.int64], chances: Floats) -> NDArray[np.int64]:
    """Return (grades, grades) counts: labelled grade by confident grade.

    A unit that is confidently of several grades counts as the most probable of them; of none, not
    at all. A grade that no unit is labelled with is never confident.

    Args:
        grade: (n,) labelled grade.
        chances: (n, grades) out-of-fold probabilities.
    """
    grades = chances.shape[1]
    threshold = np.array(
        [chances[grade == g, g].mean() if (grade == g).any() else np.inf for g in range(grades)]
    )
    reached = chances >= threshold - TOUCHES
    confident = np.where(reached, chances, -1.0).argmax(axis=1)
    some = reached.any(axis=1)
    table = np.zeros((grades, grades), np.int64)
    np.add.at(table, (grade[some], confident[some]), 1)
    return table


def noise_table(answers: Sequence[Answers]) -> pl.DataFrame:
    """Return how labels go wrong: a row per question, labelled grade and confident grade.

    Columns: target, labelled, confident, count, share (of the labels of that grade).
    """
    rows = []
    for one in answers:
        used = one.graded & one.answered
        table = confident_joint(one.truth[used].argmax(axis=1), one.believed[used])
        for labelled, confident in np.ndindex(*table.shape):
            rows.append(
                {
                    "target": one.target.name,
                    "labelled": one.target.grades[labelled],
                    "confident": one.target.grades[confident],
                    "count": int(table[labelled, confident]),
                    "share": float(table[labelled, confident] / max(table[labelled].sum(), 1)),
                }
            )
    return pl.DataFrame(rows)


def label_evidence(answers: Sequence[Answers]) -> pl.DataFrame:
    """Weigh, for each label, that the grade is another one and the label a slip.

    evidence = log sum over other grades g of P(g | answer) slip(label | g) - log P(label | answer),
    where a slip goes to a neighbour of ordered grades, and to any grade of nominal ones.

    Returns:
        study, subject, site, target, labelled (grade), likelier (the grade that a slip would come
        from), chance (of the labelled grade), evidence (nats). Labels without an answer are out.
    """
    parts = [_weigh(one) for one in answers]
    return pl.concat(parts) if parts else pl.DataFrame()


def label_suspicions(frame: pl.DataFrame, *, spec: AuditSpec) -> list[Suspicion]:
    """Return the labels that are more likely a slip than not, the worst first."""
    likely = frame.filter(pl.col("evidence") > rarity(spec.flips))
    return [
        Suspicion(
            "label",
            "review",
            row["evidence"],
            f"labelled {row['labelled']}, which the answer thinks {_percent(row['chance'])} "
            f"likely; expected {row['likelier']}; look at it again",
            row["study"],
            row["target"],
            row["site"],
        )
        for row in likely.sort("evidence", descending=True).iter_rows(named=True)
    ]


def _slips(target: Target) -> Floats:
    """Return (grades, grades): how a slip from a grade (row) spreads over labels (column)."""
    grades = len(target.grades)
    apart = np.abs(np.subtract.outer(np.arange(grades), np.arange(grades)))
    allowed = (apart > 0) if target.scale == "nominal" else (apart == 1)
    return np.asarray(allowed / allowed.sum(axis=1, keepdims=True))


def _weigh(one: Answers) -> pl.DataFrame:
    used = one.graded & one.answered
    study, site = np.nonzero(used)
    grade = one.truth[used].argmax(axis=1)
    chances = one.believed[used]
    ways = chances * _slips(one.target)[:, grade].T
    own = chances[np.arange(len(grade)), grade]
    names = np.array(one.target.grades)
    return pl.DataFrame(
        {
            "study": np.array(one.studies)[study],
            "subject": np.array(one.subjects)[study],
            "site": pl.Series([one.sites[place] for place in site], dtype=pl.String),
            "target": [one.target.name] * len(grade),
            "labelled": names[grade],
            "likelier": names[ways.argmax(axis=1)],
            "chance": own,
            "evidence": np.log(ways.sum(axis=1)) - np.log(own),
        }
    )


def _percent(chance: float) -> str:
    return f"{chance:.1%}" if chance >= 0.001 else "under 0.1%"
