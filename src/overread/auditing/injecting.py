"""Planted errors, to measure what an audit finds: every function takes a seed and tells the truth.

Each returns changed labels (or points) and which studies, labels or points were changed. A study
whose labels read the same afterwards is never chosen: nothing would be wrong with it.
"""

import numpy as np
import polars as pl

from overread.records import Labels, Rubric

__all__ = ["flip_grades", "move_points", "shift_chain", "shift_sites", "swap_sides"]


def shift_sites(
    labels: Labels, rubric: Rubric, *, share: float, seed: int
) -> tuple[Labels, frozenset[str]]:
    """Move all labels of some studies one site on or back; the site that is left is not graded.

    Args:
        labels: one-hot or soft.
        rubric: with ordered sites.
        share: of all studies.
        seed: of the choice.
    """
    rng = np.random.default_rng(seed)
    studies = sorted(labels.frame["study"].unique())
    steps = dict(zip(studies, rng.choice([1, -1], len(studies)).tolist(), strict=True))
    order = {site: index for index, site in enumerate(rubric.sites)}
    frame = labels.frame.with_columns(
        place=pl.col("site").replace_strict(order, return_dtype=pl.Int64),
        step=pl.col("study").replace_strict(steps, return_dtype=pl.Int64),
    )
    source = frame.select("study", "target", "place", moved="probabilities")
    both = frame.with_columns(at=pl.col("place") - pl.col("step")).join(
        source, left_on=["study", "target", "at"], right_on=["study", "target", "place"], how="left"
    )
    return _replaced(both, round(share * len(studies)), rng)


def swap_sides(
    labels: Labels, rubric: Rubric, *, share: float, seed: int
) -> tuple[Labels, frozenset[str]]:
    """Exchange all labels of left and right in some studies.

    Args:
        labels: one-hot or soft.
        rubric: whose paired targets are exchanged.
        share: of all studies.
        seed: of the choice.
    """
    rng = np.random.default_rng(seed)
    partner = {name: rubric.partner(name) for name in rubric.names}
    frame = labels.frame.with_columns(other=pl.col("target").replace_strict(partner))
    source = frame.select("unit", "target", moved="probabilities")
    both = frame.join(source, left_on=["unit", "other"], right_on=["unit", "target"], how="left")
    return _replaced(both, round(share * labels.frame["study"].n_unique()), rng)


def flip_grades(
    labels: Labels, rubric: Rubric, *, share: float, seed: int
) -> tuple[Labels, frozenset[tuple[str, str]]]:
    """Change some labels by one grade, up or down where both are possible.

    Args:
        labels: one-hot.
        rubric: of ordered or binary targets.
        share: of the graded labels.
        seed: of the choice.

    Returns:
        Labels, and the (unit, target) that were changed.
    """
    rng = np.random.default_rng(seed)
    frame = labels.frame.sort("unit", "target")
    known = np.flatnonzero(frame["probabilities"].is_not_null().to_numpy())
    chosen = np.sort(rng.choice(known, round(share * len(known)), replace=False))
    values = frame["probabilities"].to_list()
    for index in chosen.tolist():
        grades = len(rubric.target(frame["target"][index]).grades)
        grade = int(np.argmax(values[index]))
        near = [one for one in (grade - 1, grade + 1) if 0 <= one < grades]
        values[index] = np.eye(grades)[rng.choice(near)].tolist()
    flipped = frame.with_columns(probabilities=pl.Series(values, dtype=pl.List(pl.Float64)))
    names = frame.select("unit", "target")[chosen].rows()
    return Labels(flipped), frozenset((unit, target) for unit, target in names)


def shift_chain(
    points: pl.DataFrame, rubric: Rubric, *, target: str, share: float, seed: int
) -> tuple[pl.DataFrame, frozenset[str]]:
    """Name all points of one question one site on or back in some studies.

    Args:
        points: columns study, target, site at least.
        rubric: with ordered sites; a point that no site is left for is dropped.
        target: whose points.
        share: of the studies that have two such points.
        seed: of the choice.
    """
    rng = np.random.default_rng(seed)
    counts = points.filter(pl.col("target") == target).group_by("study").len()
    studies = sorted(counts.filter(pl.col("len") > 1)["study"])
    chosen = rng.choice(studies, round(share * len(studies)), replace=False).tolist()
    steps = dict(zip(chosen, rng.choice([1, -1], len(chosen)).tolist(), strict=True))
    order = {site: index for index, site in enumerate(rubric.sites)}
    sites = [
        order[site] + (steps.get(study, 0) if name == target else 0)
        for study, name, site in points.select("study", "target", "site").iter_rows()
    ]
    names = [rubric.sites[site] if 0 <= site < len(rubric.sites) else None for site in sites]
    moved = points.with_columns(site=pl.Series(names, dtype=pl.String)).drop_nulls("site")
    return moved, frozenset(chosen)


def move_points(
    points: pl.DataFrame, *, share: float, far: tuple[float, float], seed: int
) -> tuple[pl.DataFrame, frozenset[str]]:
    """Move one point in some studies, in any direction.

    Args:
        points: columns study, x, y at least.
        share: of all studies.
        far: least and most distance, in the unit of x and y.
        seed: of the choice.
    """
    rng = np.random.default_rng(seed)
    studies = sorted(points["study"].unique())
    chosen = set(rng.choice(studies, round(share * len(studies)), replace=False).tolist())
    x, y = points["x"].to_numpy().copy(), points["y"].to_numpy().copy()
    study = points["study"].to_numpy()
    for name in sorted(chosen):
        index = rng.choice(np.flatnonzero(study == name))
        length, angle = rng.uniform(*far), rng.uniform(0, 2 * np.pi)
        x[index] += length * np.cos(angle)
        y[index] += length * np.sin(angle)
    return points.with_columns(x=pl.Series(x), y=pl.Series(y)), frozenset(chosen)


def _replaced(
    both: pl.DataFrame, count: int, rng: np.random.Generator
) -> tuple[Labels, frozenset[str]]:
    """Take the column `moved` in `count` studies in which it changes a label."""
    changed = both.filter(
        pl.col("moved").is_not_null()
        & pl.col("probabilities").is_not_null()
        & (pl.col("moved") != pl.col("probabilities"))
    )
    chosen = rng.choice(sorted(changed["study"].unique()), count, replace=False).tolist()
    moved = pl.when(pl.col("study").is_in(chosen)).then("moved").otherwise("probabilities")
    return Labels(both.with_columns(probabilities=moved)), frozenset(chosen)
