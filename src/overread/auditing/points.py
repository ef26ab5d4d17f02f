"""Which marked points lie where no such point lies? Points held against all points of the set.

The points of a study leave each other little room: a disc lies between its neighbours, a foramen
beside its disc. The evidence is log uniform density - log density at the point given the others, in
nats: how much better "anywhere in the image" explains it. Left and right, the slices and the bounds
of the image are checked by themselves; whole chains that stand one site off, in `chains`. Knows no
pixels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.auditing.marks import lay_out_marks
from overread.auditing.review import Suspicion
from overread.auditing.shape import FREEDOM
from overread.auditing.spec import AuditSpec, rarity
from overread.records import Rubric

__all__ = ["point_evidence", "point_suspicions"]

Floats = NDArray[np.float64]
# A set tells left from right where the sides lie so many spreads apart.
SIDED = 3.0
# Slices that a point could as well lie on, at least.
SLICES = 10.0
# Evidence of what cannot be: a point outside its image.
CERTAIN = 50.0


def point_evidence(points: pl.DataFrame, rubric: Rubric, *, spec: AuditSpec) -> pl.DataFrame:
    """Weigh, for each marked point, that it lies anywhere but where it should.

    Args:
        points: columns study, series, slice, target, site, x, y (px); rows and columns (px of the
            image) where known, else the extent of the marks of the series stands for them.
        rubric: of the targets; tells left from right.
        spec: settings.

    Returns:
        The points with evidence (nats, the largest of the checks), expected_x and expected_y (px),
        why ("place", "side", "slice", "bounds"); sorted by study, target and site.

    Raises:
        RecordError: for a missing column.
    """
    marks = lay_out_marks(points, rubric, spec=spec)
    frame = marks.frame
    checks = {
        "place": marks.in_rows(marks.evidence),
        "side": marks.in_rows(_wrong_side(marks.values, marks.keys, rubric)),
        "slice": _wrong_slice(frame, rubric),
        "bounds": _out_of_bounds(frame),
    }
    table = np.stack(list(checks.values()), 1)
    expected = marks.in_pixels(marks.expected)
    return frame.with_columns(
        evidence=pl.Series(table.max(axis=1)),
        expected_x=pl.Series(expected[:, 0]),
        expected_y=pl.Series(expected[:, 1]),
        why=pl.Series(np.array(list(checks))[table.argmax(axis=1)]),
    ).drop("left", "top", "width", "height")


def point_suspicions(frame: pl.DataFrame, *, spec: AuditSpec) -> list[Suspicion]:
    """Return the points that more likely than not lie elsewhere, the worst first."""
    likely = frame.filter(pl.col("evidence") > rarity(spec.slips))
    place = ("series", "slice", "x", "y", "expected_x", "expected_y")
    return [
        Suspicion(
            "point",
            "review",
            row["evidence"],
            _reason(row),
            row["study"],
            row["target"],
            row["site"],
            {name: row[name] for name in place},
        )
        for row in likely.sort("evidence", descending=True).iter_rows(named=True)
    ]


def _reason(row: dict[str, Any]) -> str:
    found = f"marked at ({row['x']:.0f}, {row['y']:.0f}) px of slice {row['slice']:.0f}"
    expected = f"({row['expected_x']:.0f}, {row['expected_y']:.0f}) px"
    return {
        "place": f"{found}, expected near {expected} by the other points of the study; move it",
        "side": f"{found}, on the other side of its partner; expected the patient's left at the "
        "right of the image; exchange the two or correct the point",
        "slice": f"{found}, far from the slice that its neighbours tell; correct the slice",
        "bounds": f"{found}, which is outside the image; expected near {expected}; correct it",
    }[str(row["why"])]


def _wrong_side(values: Floats, keys: Sequence[tuple[str, str]], rubric: Rubric) -> Floats:
    """Return (studies, k) evidence that a point and its mirror partner are exchanged.

    Each then lies where the other belongs. Only where the set itself tells left from right: on
    images that show both sides.
    """
    evidence = np.zeros(values.shape[:2])
    columns = {key: index for index, key in enumerate(keys)}
    for (target, site), own in columns.items():
        other = columns.get((rubric.partner(target), site), own)
        if other <= own:
            continue
        apart = values[:, own, 0] - values[:, other, 0]
        middle, spread = _middle(apart)
        if abs(middle) < SIDED * spread:
            continue
        nats = np.nan_to_num(_tail(apart - middle, spread) - _tail(apart + middle, spread))
        evidence[:, own] = np.maximum(evidence[:, own], nats)
        evidence[:, other] = np.maximum(evidence[:, other], nats)
    return evidence


def _wrong_slice(frame: pl.DataFrame, rubric: Rubric) -> Floats:
    """Return (n,) evidence that a point is on another slice than its neighbours tell.

    Told by the slices of its question at other sites, or by the slice of its mirror partner,
    whichever agree better over the set. Where slices are thinner than usual, more of them lie
    between two sites, and an offset of as many counts as less.
    """
    partner = {name: rubric.partner(name) for name in frame["target"].unique()}
    other = frame.select(
        "study", "series", "site", pl.col("target").alias("other"), partner_slice="slice"
    )
    both = frame.with_columns(other=pl.col("target").replace_strict(partner)).join(
        other, on=["study", "series", "site", "other"], how="left", maintain_order="left"
    )
    group = ("study", "series", "target")
    apart = pl.col("slice") - pl.col("partner_slice")
    span = pl.col("slice").max() - pl.col("slice").min() + 1
    step = pl.col("slice").diff().abs().median().over(group)
    both = both.with_columns(
        along=(pl.col("slice") - pl.col("slice").median().over(group)).cast(pl.Float64),
        beside=(apart - apart.median().over(group)).cast(pl.Float64),
        span=pl.max_horizontal(span.over("study", "series").cast(pl.Float64), pl.lit(SLICES)),
        step=step.cast(pl.Float64),
    )
    evidence = np.zeros(len(frame))
    for name, mirrored in partner.items():
        rows = (both["target"] == name).to_numpy()
        own = both.filter(pl.col("target") == name)
        usual = max(own["step"].drop_nulls().median() or 0.0, 1.0)
        thin = np.maximum(own["step"].fill_null(0.0).to_numpy() / usual, 1.0)
        ways = [own["along"].to_numpy() / thin]
        if mirrored != name:
            ways.append(own["beside"].fill_null(np.nan).to_numpy() / thin)
        spreads = [max(_middle(way)[1], 1.0) for way in ways]
        best = int(np.argmin(spreads))
        nats = _tail(ways[best], spreads[best]) - np.log(own["span"].to_numpy())
        evidence[rows] = np.maximum(np.nan_to_num(nats), 0.0)
    return evidence


def _out_of_bounds(frame: pl.DataFrame) -> Floats:
    if "rows" not in frame.columns:
        return np.zeros(len(frame))
    x, y = pl.col("x"), pl.col("y")
    outside = (x < -0.5) | (y < -0.5) | (x > pl.col("columns")) | (y > pl.col("rows"))
    return np.asarray(frame.select(outside.fill_null(value=False)).to_series().to_numpy() * CERTAIN)


def _middle(values: Floats) -> tuple[float, float]:
    """Return median and spread (1.4826 times the median distance from it) of known values."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, np.inf
    middle = float(np.median(known))
    return middle, float(1.4826 * np.median(np.abs(known - middle))) + 1e-9


def _tail(offset: Floats, spread: float) -> Floats:
    """Return nats of Student's t with 4 degrees of freedom for an offset, 0 in its middle."""
    return np.asarray((FREEDOM + 1) / 2 * np.log1p((offset / spread) ** 2 / FREEDOM))
