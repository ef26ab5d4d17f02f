"""Columns of tables: those that have seen the target, and those in which two sets differ.

A header or a file name that tells the grade is a leak that no network should be given. Knows no
networks and no files.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from overread.auditing.review import Suspicion
from overread.auditing.spec import AuditSpec
from overread.scoring.two_sample import TwoSample, TwoSampleSpec, two_sample

__all__ = ["compare_columns", "compare_sets", "seeing_columns", "seeing_suspicions"]

Floats = NDArray[np.float64]
MOST_VALUES = 0.2
RARE = 10
NUMERIC = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)


def seeing_columns(table: pl.DataFrame, truth: pl.Series, *, spec: AuditSpec) -> pl.DataFrame:
    """Return how well each column alone tells a binary truth, of rows that it does not know.

    Numbers are used as they are. Words are replaced by the share of the other rows with the same
    word that are true; a column in which nearly every row has a word of its own tells nothing.

    Args:
        table: (n) rows; any columns.
        truth: (n,) booleans, null = not known.
        spec: settings.

    Returns:
        column, kind ("number", "word", "missing": whether there is a value), auc (0.5 to 1), n,
        seen (whether it tells too much); sorted by auc.
    """
    rows = []
    for name in table.columns:
        for kind, values in _kinds(table[name], truth):
            known = np.isfinite(values) & truth.is_not_null().to_numpy()
            answer = truth.fill_null(value=False).to_numpy()[known]
            if min(answer.sum(), (~answer).sum()) < RARE:
                continue
            area = _area(values[known], answer)
            area = max(area, 1 - area)
            seen = area >= spec.seeing_auc
            rows.append({"column": name, "kind": kind, "auc": area, "n": len(answer), "seen": seen})
    schema = {
        "column": pl.String,
        "kind": pl.String,
        "auc": pl.Float64,
        "n": pl.Int64,
        "seen": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema).sort("auc", "column", descending=[True, False])


def seeing_suspicions(frame: pl.DataFrame, *, of: str, target: str) -> list[Suspicion]:
    """Refuse columns that have seen the target."""
    return [
        Suspicion(
            "leak",
            "refuse",
            float(row["n"] * (row["auc"] - 0.5)),
            f"{of}: column {row['column']} ({row['kind']}) alone tells {target} with an area of "
            f"{row['auc']:.3f} over {row['n']} rows; expected no column to know it; leave it out, "
            "and look where it comes from",
            target=target,
        )
        for row in frame.filter(pl.col("seen")).iter_rows(named=True)
    ]


def compare_columns(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """Test each column that two sets share for another distribution.

    Numbers by Kolmogorov and Smirnov, words by chi squared; corrected for the number of columns by
    Benjamini and Hochberg (1995). With many rows small differences are significant: look at
    `size`.

    Returns:
        column, kind, size (largest distance of the distribution functions, or Cramer's V), p, q
        (corrected), missing_first, missing_second (shares); sorted by q.
    """
    rows = []
    for name in [name for name in first.columns if name in second.columns]:
        one, two = first[name], second[name]
        missing = [side.null_count() / max(len(side), 1) for side in (one, two)]
        kind, size, p = _tested(one.drop_nulls(), two.drop_nulls())
        rows.append((name, kind, size, p, *missing))
    columns = ("column", "kind", "size", "p", "missing_first", "missing_second")
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    if not len(frame):
        return frame.with_columns(q=pl.lit(None, pl.Float64))
    q = stats.false_discovery_control(np.clip(frame["p"].to_numpy().astype(np.float64), 0, 1))
    return frame.with_columns(q=pl.Series(q)).sort("q", "column")


def compare_sets(
    first: pl.DataFrame,
    second: pl.DataFrame,
    *,
    subject: str | None = None,
    spec: TwoSampleSpec,
) -> TwoSample:
    """Return how well a classifier tells the rows of two tables apart by the columns they share.

    Args:
        first: one set.
        second: the other.
        subject: column with the person, which is held out whole and not shown to the classifier.
        spec: of the classifier.
    """
    shared = [name for name in first.columns if name in second.columns and name != subject]
    both = pl.concat([first.select(shared), second.select(shared)], how="vertical_relaxed")
    values = np.stack([_numbers(both[name]) for name in shared], 1)
    people = (first[subject].to_numpy(), second[subject].to_numpy()) if subject else None
    return two_sample(values[: len(first)], values[len(first) :], people, spec=spec)


def _is_number(values: pl.Series) -> bool:
    return values.dtype in (*NUMERIC, pl.Float32, pl.Float64, pl.Boolean)


def _numbers(values: pl.Series) -> Floats:
    """Return numbers as they are, words as how common they are ranked; NaN where missing."""
    if _is_number(values):
        return values.cast(pl.Float64).fill_null(np.nan).to_numpy()
    words = values.cast(pl.String)
    order = words.value_counts(sort=True)[values.name or ""].drop_nulls().to_list()
    place = {word: float(index) for index, word in enumerate(order)}
    return np.array([place.get(word, np.nan) for word in words], np.float64)


def _kinds(values: pl.Series, truth: pl.Series) -> Sequence[tuple[str, Floats]]:
    found = []
    if 0 < values.null_count() < len(values):
        found.append(("missing", values.is_null().to_numpy().astype(np.float64)))
    if _is_number(values):
        found.append(("number", values.cast(pl.Float64).fill_null(np.nan).to_numpy()))
    elif values.n_unique() <= MOST_VALUES * len(values):
        found.append(("word", _others_share(values.cast(pl.String), truth)))
    return found


def _others_share(words: pl.Series, truth: pl.Series) -> Floats:
    """Return the share of true ones among the other rows with the same word, drawn to the mean."""
    frame = pl.DataFrame({"word": words, "truth": truth.cast(pl.Float64)})
    mean = float(truth.cast(pl.Float64).mean() or 0.0)  # type: ignore[arg-type]
    own = pl.col("truth").fill_null(0.0)
    known = pl.col("truth").is_not_null().cast(pl.Float64)
    share = (own.sum().over("word") - own + mean) / (known.sum().over("word") - known + 1)
    told = pl.when(pl.col("word").is_null()).then(None).otherwise(share)
    return frame.select(told.fill_null(np.nan)).to_series().to_numpy()


def _area(values: Floats, answer: NDArray[np.bool_]) -> float:
    ranks = stats.rankdata(values)
    yes = int(answer.sum())
    return float((ranks[answer].sum() - yes * (yes + 1) / 2) / (yes * (len(answer) - yes)))


def _tested(one: pl.Series, two: pl.Series) -> tuple[str, float | None, float]:
    """Return the kind of test, the size of the difference and its p; p 1 where nothing is there."""
    if not len(one) or not len(two):
        return "empty", None, 1.0
    if _is_number(one) and _is_number(two):
        found = stats.ks_2samp(one.cast(pl.Float64).to_numpy(), two.cast(pl.Float64).to_numpy())
        return "number", float(found.statistic), float(found.pvalue)
    words = sorted(set(one.cast(pl.String)) | set(two.cast(pl.String)))
    if len(words) < 2:
        return "word", 0.0, 1.0
    place = {word: index for index, word in enumerate(words)}
    table = np.zeros((2, len(words)))
    for row, side in enumerate((one, two)):
        for word in side.cast(pl.String):
            table[row, place[word]] += 1
    found = stats.chi2_contingency(table, correction=False)
    return "word", float(np.sqrt(found.statistic / table.sum())), float(found.pvalue)
