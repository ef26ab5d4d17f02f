"""Marked points of a set, laid out by study and name, with how far each is to be believed.

The worst point of a study is set aside before the next is judged, so that it throws no suspicion on
its neighbours. What is made of that is the business of `points` and `chains`. Knows no pixels.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.auditing.shape import Shape, learn_shape
from overread.auditing.spec import AuditSpec, rarity
from overread.records import RecordError, Rubric

__all__ = ["COLUMNS", "Marks", "lay_out_marks"]

Floats = NDArray[np.float64]
Key = tuple[str, str]
COLUMNS = ("study", "series", "slice", "target", "site", "x", "y")


@dataclass(frozen=True, eq=False)
class Marks:
    """Marked points, as rows and as an array.

    Attributes:
        frame: the rows, sorted by study, target and site, with left, top, width and height (px) of
            what shares are of.
        keys: (k,) target and site of each point, sites in the order of the rubric.
        studies: (s,) ids, sorted.
        values: (s, k, 2) shares of the image; NaN where not marked.
        place: (n, 2) study and key of each row.
        shape: how points lie to one another over the set.
        evidence: (s, k) nats by which "anywhere in the image" explains a point better.
        expected: (s, k, 2) where the other points of the study expect it, shares.
        trusted: (s, k) points that are marked and did not go astray.
    """

    frame: pl.DataFrame
    keys: tuple[Key, ...]
    studies: tuple[str, ...]
    values: Floats
    place: NDArray[np.int64]
    shape: Shape
    evidence: Floats
    expected: Floats
    trusted: NDArray[np.bool_]

    def in_rows(self, table: Floats) -> Floats:
        """Return what an (s, k, ...) table says of each row."""
        return np.asarray(table[self.place[:, 0], self.place[:, 1]])

    def in_pixels(self, table: Floats) -> Floats:
        """Return the (s, k, 2) shares of each row, (n, 2) px of its image."""
        scale = self.frame.select("width", "height").to_numpy()
        corner = self.frame.select("left", "top").to_numpy()
        return np.asarray(self.in_rows(table) * scale + corner)


def lay_out_marks(
    points: pl.DataFrame, rubric: Rubric, *, spec: AuditSpec, apart: Collection[str] = ()
) -> Marks:
    """Lay out points and judge the place of each by the others.

    Args:
        points: as `point_evidence` takes them.
        rubric: of the targets; gives the order of sites.
        spec: settings.
        apart: studies that are judged, but from which nothing is learnt.

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
    studies = tuple(sorted(frame["study"].unique()))
    values, place = _vectors(frame, keys)
    learnt = np.isin(studies, list(apart), invert=True)
    shape = learn_shape(values[learnt], slips=spec.slips)
    judged = _judge(values, shape, rarity(spec.slips))
    return Marks(frame, keys, studies, values, place, shape, *judged)


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


def _judge(values: Floats, shape: Shape, needed: float) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return (studies, k) evidence, (studies, k, 2) expected places and (studies, k) trust."""
    evidence = np.zeros(values.shape[:2])
    believed: NDArray[np.bool_] = np.asarray(np.isfinite(values).all(axis=2))
    expected = np.tile(shape.mean.reshape(1, -1, 2), (len(values), 1, 1))
    for index, study in enumerate(values):
        trusted = believed[index]
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
    return evidence, expected, believed
