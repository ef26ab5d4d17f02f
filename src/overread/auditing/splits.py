"""Is each person in one fold? Folds of subjects, folds of rows, and what predictions say of theirs.

A fold that is given to rows (slices, sites, images) puts a person's other rows among the training
data of each row: what is then measured is memory. Knows no pixels and no networks.
"""

from collections.abc import Sequence

import polars as pl

from overread.auditing.review import Suspicion
from overread.auditing.spec import rarity

__all__ = ["fold_suspicions", "subject_folds"]

# Nothing to weigh: a person in two folds is a fact.
CERTAIN = 1000.0
UNEVEN = 1.5


def subject_folds(rows: pl.DataFrame) -> pl.DataFrame:
    """Return a row per subject: subject, folds (sorted list), rows (how many told).

    Args:
        rows: columns subject and fold, a row for whatever was given a fold; nulls are skipped.
    """
    return (
        rows.drop_nulls(["subject", "fold"])
        .group_by("subject")
        .agg(folds=pl.col("fold").unique().sort(), rows=pl.len())
        .sort("subject")
    )


def fold_suspicions(
    rows: pl.DataFrame, *, of: str, graded: Sequence[str] = (), other: pl.DataFrame | None = None
) -> list[Suspicion]:
    """Refuse persons in several folds; tell persons without a fold and folds of uneven size.

    Args:
        rows: columns subject and fold.
        of: where they come from, such as the name of the table.
        graded: subjects with labels, each of which needs a fold.
        other: subject and fold by another table (the folds that the predictions name), which must
            not contradict.
    """
    people = subject_folds(rows)
    found = _torn(people, of)
    missing = sorted(set(graded) - set(people["subject"]))
    if missing:
        found.append(
            Suspicion(
                "split",
                "review",
                rarity(0.5),
                f"{of}: found no fold for {len(missing)} graded subjects, such as {missing[0]}; "
                "expected a fold for each; add them or leave them out everywhere",
            )
        )
    if other is not None and not found:
        found += _contradicted(people, subject_folds(other), of)
    return found + _uneven(people, of)


def _torn(people: pl.DataFrame, of: str) -> list[Suspicion]:
    torn = people.filter(pl.col("folds").list.len() > 1)
    if not len(torn):
        return []
    several = people.filter(pl.col("rows") > 1)
    by_row = len(torn) > len(several) / 2
    first = torn.row(0, named=True)
    kind = "folds are given to rows, not to subjects" if by_row else "subjects are in several folds"
    return [
        Suspicion(
            "leak",
            "refuse",
            CERTAIN,
            f"{of}: {kind}: found {len(torn)} of {len(people)} subjects in more than one fold, "
            f"such as {first['subject']} in folds {first['folds']}; expected each in one; split "
            "again by subject and train again",
            None if by_row else first["subject"],
        )
    ]


def _contradicted(people: pl.DataFrame, other: pl.DataFrame, of: str) -> list[Suspicion]:
    both = people.join(other, on="subject", suffix="_other")
    wrong = both.filter(
        (pl.col("folds_other").list.len() > 1) | (pl.col("folds") != pl.col("folds_other"))
    )
    if not len(wrong):
        return []
    first = wrong.row(0, named=True)
    return [
        Suspicion(
            "leak",
            "refuse",
            CERTAIN,
            f"{of}: found {len(wrong)} of {len(both)} subjects in another fold than the predictions"
            f" name, such as {first['subject']} in {first['folds']} and {first['folds_other']}; "
            "expected one split for all; predict again with these folds",
        )
    ]


def _uneven(people: pl.DataFrame, of: str) -> list[Suspicion]:
    sizes = people.explode("folds").group_by("folds").len().sort("folds")
    if len(sizes) < 2 or sizes["len"].max() <= UNEVEN * sizes["len"].min():  # type: ignore[operator]
        return []
    told = ", ".join(f"{fold}: {count}" for fold, count in sizes.iter_rows())
    return [
        Suspicion(
            "split",
            "note",
            0.0,
            f"{of}: found folds of {told} subjects, expected sizes alike; rare grades may be "
            "missing in the small ones",
        )
    ]
