"""How often sets of grades hold the true grade, and how large they are: for each true grade.

Coverage over all units says little where one grade is common: sets that never hold "severe" may
hold the truth nine times of ten.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.records import GradeSets, Labels, RecordError, Rubric, Target, conditions
from overread.scoring.bootstrap import interval, subject_draws, wilson
from overread.scoring.exam import divide

__all__ = ["COVERAGE_COLUMNS", "set_coverage"]

Floats = NDArray[np.float64]
COVERAGE_COLUMNS: dict[str, pl.DataType] = {
    "condition": pl.String(),
    "site": pl.String(),
    "grade": pl.String(),
    "n": pl.Int64(),
    "coverage": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "wilson_low": pl.Float64(),
    "wilson_high": pl.Float64(),
    "size": pl.Float64(),
    "size_low": pl.Float64(),
    "size_high": pl.Float64(),
    "single": pl.Float64(),
}


def set_coverage(
    rubric: Rubric,
    labels: Labels,
    sets: GradeSets,
    *,
    by_site: bool = False,
    bootstrap: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:
    """Measure sets against the truth.

    Args:
        rubric: the questions; sides of a condition are counted together.
        labels: the truth; rows without grade and pseudo-labels are left out, of a soft label counts
            the most probable grade.
        sets: of one predictor.
        by_site: also rows for each site.
        bootstrap: replicates of the intervals, which draw subjects; 0 = none.
        seed: of the draws.

    Returns:
        A row a condition, site (null = all) and true grade (null = all): n, coverage with `low`
        and `high` by bootstrap, `wilson_low` and `wilson_high` as if units were independent, mean
        `size` with its bootstrap interval, and the share of sets with a `single` grade.

    Raises:
        RecordError: if no unit of the sets has a grade, or there are several predictors.
    """
    joined = _joined(labels, sets)
    people = {name: place for place, name in enumerate(sorted(joined["subject"].unique()))}
    draws = subject_draws(len(people), bootstrap, seed)
    rows = [
        {"condition": condition, "site": site, **one}
        for condition, targets in conditions(rubric).items()
        for site, part in _places(rubric, joined, targets, by_site=by_site)
        for one in _measured(part, targets[0], people, draws)
    ]
    return pl.DataFrame(rows, schema=COVERAGE_COLUMNS)


def _joined(labels: Labels, sets: GradeSets) -> pl.DataFrame:
    if sets.frame["predictor"].n_unique() > 1:
        names = sorted(sets.frame["predictor"].unique())
        raise RecordError(f"one predictor at a time can be measured, found {names}; filter them")
    known = labels.known().frame.filter(pl.col("origin") != "pseudo")
    joined = sets.frame.join(
        known.select("unit", "target", truth=pl.col("probabilities").list.arg_max()),
        on=("unit", "target"),
    ).sort("unit", "target")
    if not len(joined):
        raise RecordError(f"found {len(sets)} sets, none of them of a unit with a grade")
    return joined


def _places(
    rubric: Rubric, joined: pl.DataFrame, targets: tuple[Target, ...], *, by_site: bool
) -> Iterator[tuple[str | None, pl.DataFrame]]:
    part = joined.filter(pl.col("target").is_in([target.name for target in targets]))
    for site in (None, *(rubric.sites if by_site else ())):
        here = part if site is None else part.filter(pl.col("site") == site)
        if len(here):
            yield site, here


def _measured(
    part: pl.DataFrame, target: Target, people: dict[str, int], draws: Floats
) -> Iterator[dict[str, object]]:
    """Yield all grades together, then each grade."""
    grade = part["truth"].to_numpy()
    holds = np.array(part["holds"].to_list(), np.bool_)
    size = holds.sum(axis=1)
    held = holds[np.arange(len(grade)), grade]
    subject = np.array([people[name] for name in part["subject"]])
    columns = np.stack([np.ones(len(grade)), held, size, size == 1], axis=1).astype(np.float64)
    for index, name in ((None, None), *enumerate(target.grades)):
        chosen = np.ones(len(grade), bool) if index is None else grade == index
        sums = np.zeros((len(people), columns.shape[1]))
        np.add.at(sums, subject[chosen], columns[chosen])
        yield {"grade": name, "n": int(chosen.sum()), **_numbers(draws @ sums)}


def _numbers(sums: Floats) -> dict[str, float | None]:
    """Return the numbers of a group from (1 + replicates, 4) sums."""
    count, held, size, single = sums.T
    if not count[0]:
        return {}
    coverage, sizes = divide(held, count), divide(size, count)
    low, high = wilson(coverage[:1], count[:1])
    covered, sized = interval(coverage[1:]), interval(sizes[1:])
    return {
        "coverage": float(coverage[0]),
        "low": covered[0],
        "high": covered[1],
        "wilson_low": float(low[0]),
        "wilson_high": float(high[0]),
        "size": float(sizes[0]),
        "size_low": sized[0],
        "size_high": sized[1],
        "single": float(single[0] / count[0]),
    }
