"""Which marked points lie where no such point lies? Points held against all points of the set.

The points of a study leave each other little room: a disc lies between its neighbours, a foramen
beside its disc. The evidence is log uniform density - log density at the point given the others, in
nats: how much better "anywhere in the image" explains it. The worst point of a study is set aside
before the next is judged, so that it does not throw suspicion on its neighbours. Left and right,
the slices and the bounds of the image are checked by themselves. Knows no pixels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.auditing.review import Suspicion
from overread.auditing.shape import FREEDOM, Shape, learn_shape
from overread.auditing.spec import AuditSpec, rarity
from overread.records import RecordError, Rubric

__all__ = ["COLUMNS", "point_evidence", "point_suspicions", "study_evidence"]

Floats = NDArray[np.float64]
COLUMNS = ("study", "series", "slice", "target", "site", "x", "y")
# A set tells left from right where the sides lie so many spreads apart.
SIDED = 3.0
EXCHANGED = 6.0
# Slices that a point could as well lie on.
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
    missing = [name for name in COLUMNS if name not in points.columns]
    if missing:
        raise RecordError(f"points lack the columns {missing}; expected {COLUMNS}")
    frame = _with_size(points).sort("study", "target", "site")
    order = {site: index for index, site in enumerate(rubric.sites)}
    known = set(frame.select("target", "site").rows())
    keys = tuple(sorted(known, key=lambda key: (key[0], order.get(key[1], -1), key[1])))
    values, place = _vectors(frame, keys)
    shape = learn_shape(values)
    evidence, expected = _judge(values, shape, rarity(spec.slips))
    at = (place[:, 0], place[:, 1])
    scale = frame.select("width", "height").to_numpy()
    checks = {
        "place": evidence[at],
        "side": _wrong_side(values, keys, rubric)[at],
        "slice": _wrong_slice(frame, rubric),
        "bounds": _out_of_bounds(frame),
    }
    table = np.stack(list(checks.values()), 1)
    return frame.with_columns(
        evidence=pl.Series(table.max(axis=1)),
        expected_x=pl.Series(expected[at][:, 0] * scale[:, 0] + frame["left"].to_numpy()),
        expected_y=pl.Series(expected[at][:, 1] * scale[:, 1] + frame["top"].to_numpy()),
        why=pl.Series(np.array(list(checks))[table.argmax(axis=1)]),
    ).drop("left", "top", "width", "height")


def study_evidence(points: pl.DataFrame) -> pl.DataFrame:
    """Return study and evidence (that of its worst point), sorted by study."""
    return points.group_by("study").agg(pl.col("evidence").max()).sort("study")


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


def _with_size(points: pl.DataFrame) -> pl.DataFrame:
    """Add left, top, width and height (px) of what shares are of."""
    if {"rows", "columns"} <= set(points.columns) and not points["rows"].null_count():
        return points.with_columns(
            left=pl.lit(0.0),
            top=pl.lit(0.0),
            width=pl.col("columns").cast(pl.Float64),
            height=pl.col("rows").cast(pl.Float64),
        )
    # Medians, so that one wild point does not stretch the image.
    middle = [pl.col(name).median().over("study", "series") for name in ("x", "y")]
    spread = pl.max_horizontal(
        (pl.col("x") - middle[0]).abs().median().over("study", "series"),
        (pl.col("y") - middle[1]).abs().median().over("study", "series"),
    )
    size = pl.max_horizontal(8 * spread, pl.lit(1.0))
    return points.with_columns(width=size, height=size).with_columns(
        left=middle[0] - pl.col("width") / 2, top=middle[1] - pl.col("height") / 2
    )


def _vectors(
    frame: pl.DataFrame, keys: Sequence[tuple[str, str]]
) -> tuple[Floats, NDArray[np.int64]]:
    """Return (studies, k, 2) shares, NaN where not marked, and (n, 2) study and key of each row."""
    studies = {name: index for index, name in enumerate(sorted(frame["study"].unique()))}
    columns = {key: index for index, key in enumerate(keys)}
    place = np.array(
        [
            (studies[study], columns[target, site])
            for study, target, site in frame.select("study", "target", "site").iter_rows()
        ],
        np.int64,
    ).reshape(-1, 2)
    values = np.full((len(studies), len(keys), 2), np.nan)
    share = frame.select(
        (pl.col("x") - pl.col("left")) / pl.col("width"),
        (pl.col("y") - pl.col("top")) / pl.col("height"),
    )
    values[place[:, 0], place[:, 1]] = share.to_numpy()
    return values, place


def _judge(values: Floats, shape: Shape, needed: float) -> tuple[Floats, Floats]:
    """Return (studies, k) evidence and (studies, k, 2) expected place of each point."""
    evidence = np.zeros(values.shape[:2])
    expected = np.tile(shape.mean.reshape(1, -1, 2), (len(values), 1, 1))
    for index, study in enumerate(values):
        trusted = np.isfinite(study).all(axis=1)
        aside = []
        while trusted.any():
            at = np.flatnonzero(trusted)
            evidence[index, at], expected[index, at] = shape.judge(study, at, np.arange(len(at)))
            worst = at[evidence[index, at].argmax()]
            if evidence[index, worst] <= needed:
                break
            trusted[worst] = False
            aside.append(worst)
        for point in aside:
            at = np.append(np.flatnonzero(trusted), point)
            nats, place = shape.judge(study, at, np.array([len(at) - 1]))
            evidence[index, point], expected[index, point] = nats[0], place[0]
    return evidence, expected


def _wrong_side(values: Floats, keys: Sequence[tuple[str, str]], rubric: Rubric) -> Floats:
    """Return (studies, k) evidence that a point and its mirror partner are exchanged.

    Only where the set itself tells left from right: on images that show both sides.
    """
    evidence = np.zeros(values.shape[:2])
    columns = {key: index for index, key in enumerate(keys)}
    for (target, site), own in columns.items():
        other = columns.get((rubric.partner(target), site), own)
        if other <= own:
            continue
        apart = values[:, own, 0] - values[:, other, 0]
        middle, spread = _middle(apart)
        # Each is where the other belongs; a point gone astray does not blame its partner.
        wrong = np.abs(apart + middle) < EXCHANGED * spread
        if abs(middle) < SIDED * spread:
            continue
        nats = np.where(wrong, _tail(apart - middle, spread), 0.0)
        evidence[:, own] = np.maximum(evidence[:, own], nats)
        evidence[:, other] = np.maximum(evidence[:, other], nats)
    return evidence


def _wrong_slice(frame: pl.DataFrame, rubric: Rubric) -> Floats:
    """Return (n,) evidence that a point is on another slice than its neighbours tell.

    Told by the slices of its question at other sites, or by the slice of its mirror partner,
    whichever agree better over the set.
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
    both = both.with_columns(
        along=(pl.col("slice") - pl.col("slice").median().over(group)).cast(pl.Float64),
        beside=(apart - apart.median().over(group)).cast(pl.Float64),
    )
    evidence = np.zeros(len(frame))
    for name, mirrored in partner.items():
        rows = (both["target"] == name).to_numpy()
        ways = [both["along"].to_numpy()[rows]]
        if mirrored != name:
            ways.append(both["beside"].fill_null(np.nan).to_numpy()[rows])
        spreads = [max(_middle(way)[1], 1.0) for way in ways]
        best = int(np.argmin(spreads))
        nats = _tail(ways[best], spreads[best]) - np.log(SLICES)
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
