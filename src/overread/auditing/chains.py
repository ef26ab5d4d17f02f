"""Does a chain of points stand one site off? The chains of a study held against one another.

A chain is the points of one question along the sites, such as the left foramina from L1/L2 down. A
chain that stands one site off as a whole looks sound by itself, and so does each of its points
beside its neighbours; but not beside the other chains of the study. The evidence is the log of how
much better all points fit after some chains, or one end of a chain, were put one site on or back.
All chains together are never put: that is a field of view that lies lower. Chains on different
series are held against one another loosely, as these may have different fields of view. Knows no
pixels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.auditing.marks import Marks, lay_out_marks
from overread.auditing.review import Suspicion
from overread.auditing.shape import Shape
from overread.auditing.spec import AuditSpec, rarity
from overread.records import Rubric

__all__ = ["chain_evidence", "chain_suspicions"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# A question tells sites from one another where these lie so many spreads apart.
APART = 3.0
# Shorter ends of a chain are points gone astray.
SHORTEST = 2
# Points further off than so many steps went astray.
FAR = 1.5
GONE = -1


@dataclass(frozen=True, eq=False)
class Way:
    """One way in which chains can stand off.

    Attributes:
        truly: (k,) the point that each point truly is; GONE where no site is left for it.
        steps: sites by which the points have to be put on.
    """

    truly: Ints
    steps: int


def chain_evidence(points: pl.DataFrame, rubric: Rubric, *, spec: AuditSpec) -> pl.DataFrame:
    """Weigh, for each study, that some of its chains stand one site off.

    Args:
        points: as `point_evidence` takes them.
        rubric: of the targets; gives the order of sites.
        spec: settings.

    Returns:
        A row a study with points: study, evidence (nats; 0 where nothing can be told), targets (of
        the chains that most likely stand off), sites (of their points), steps (sites by which these
        have to be put on), series, slice, x, y, expected_x, expected_y (px; of the first of them);
        sorted by study.
        Empty where fewer than two questions tell one site from another.
    """
    frame = _weighed(lay_out_marks(points, rubric, spec=spec), spec)
    suspected = frame.filter(pl.col("evidence") > 0)["study"].to_list()
    # Chains that stand off loosen what is learnt of all; what is suspected teaches nothing.
    if not suspected or len(suspected) > len(frame) / 2:
        return frame
    return _weighed(lay_out_marks(points, rubric, spec=spec, apart=suspected), spec)


def _weighed(marks: Marks, spec: AuditSpec) -> pl.DataFrame:
    chains = _telling(marks)
    ways = list(_ways(chains, len(marks.keys)))
    if not ways:
        return pl.DataFrame(schema={"study": pl.String, "evidence": pl.Float64})
    shapes = _shapes(marks, chains, spec)
    row_of = np.full(marks.trusted.shape, -1)
    row_of[marks.place[:, 0], marks.place[:, 1]] = np.arange(len(marks.frame))
    rows = []
    for known, studies in _alike(_near(marks, chains)):
        gains = _gains(marks.values[studies], known, ways, shapes)
        total = np.logaddexp.reduce(gains, axis=0) - np.log(len(ways))
        total = np.where(np.isfinite(total), total, 0.0)
        for study, nats, best in zip(studies, total, gains.argmax(axis=0), strict=True):
            told = _told(marks, row_of[study], known, ways[best])
            rows.append({"study": marks.studies[study], "evidence": float(nats), **told})
    return pl.DataFrame(rows).sort("study")


def chain_suspicions(frame: pl.DataFrame, *, spec: AuditSpec) -> list[Suspicion]:
    """Return the studies in which a chain more likely than not stands one site off."""
    likely = frame.filter(pl.col("evidence") > rarity(spec.shifts))
    place = ("series", "slice", "x", "y", "expected_x", "expected_y")
    return [
        Suspicion(
            "chain",
            "review",
            row["evidence"],
            _reason(row),
            row["study"],
            row["targets"][0],
            row["sites"][0],
            {name: row[name] for name in place},
        )
        for row in likely.sort("evidence", descending=True).iter_rows(named=True)
    ]


def _reason(row: Mapping[str, Any]) -> str:
    names = " and ".join(name.replace("_", " ") for name in row["targets"])
    end = f"{row['sites'][0]} to {row['sites'][-1]}"
    way = "on" if row["steps"] > 0 else "back"
    return (
        f"the points of {names} ({end}) fit the other points of the study better one site {way}; "
        f"expected all chains to name the same levels; found {row['sites'][0]} at "
        f"({row['x']:.0f}, {row['y']:.0f}) px of slice {row['slice']:.0f}, expected it near "
        f"({row['expected_x']:.0f}, {row['expected_y']:.0f}) px; count the levels again: these may "
        "be right and the others wrong, or two series show other parts of the spine"
    )


def _telling(marks: Marks) -> list[Ints]:
    """Return the points of each question whose place in the image tells the site."""
    names = np.array([target for target, _ in marks.keys])
    chains = [np.flatnonzero(names == name) for name in dict.fromkeys(names)]
    return [chain for chain in chains if len(chain) > SHORTEST and _tells(marks.values[:, chain])]


def _tells(chain: Floats) -> bool:
    steps = np.diff(chain, axis=1)
    if not np.isfinite(steps).all(axis=2).any(axis=0).all():
        return False
    middle = np.nanmedian(steps, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(steps - middle), axis=0) + 1e-9
    return bool((np.abs(middle) > APART * spread).any(axis=1).all())


def _near(marks: Marks, chains: Sequence[Ints]) -> NDArray[np.bool_]:
    """Return (s, k) which points of the chains may stand one site off; others went astray."""
    near = np.zeros(marks.trusted.shape, bool)
    for chain in chains:
        steps = np.linalg.norm(np.diff(marks.values[:, chain], axis=1), axis=2)
        apart = np.linalg.norm(marks.values[:, chain] - marks.expected[:, chain], axis=2)
        near[:, chain] = marks.trusted[:, chain] | (apart < FAR * np.nanmedian(steps))
    return near


def _ways(chains: Sequence[Ints], size: int) -> Iterator[Way]:
    """Yield every way in which some chains, but not all, or an end of one stand one site off."""
    for count in range(1, len(chains)):
        for off in combinations(chains, count):
            yield from (_put(size, off, steps) for steps in (1, -1))
    for chain in chains if len(chains) > 1 else ():
        for cut in range(1, len(chain) - SHORTEST + 1):
            yield _put(size, [chain], 1, low=cut)
            yield _put(size, [chain], -1, high=len(chain) - cut)


def _put(
    size: int, chains: Sequence[Ints], steps: int, *, low: int = 0, high: int | None = None
) -> Way:
    """Put the points from `low` to before `high` of each chain some steps on."""
    truly = np.arange(size)
    for chain in chains:
        for place in range(len(chain))[low:high]:
            there = place + steps
            truly[chain[place]] = chain[there] if 0 <= there < len(chain) else GONE
    return Way(truly, steps)


def _shapes(marks: Marks, chains: Sequence[Ints], spec: AuditSpec) -> list[tuple[float, Shape]]:
    """Return the shape as it is, and loosened between series, with the log share of each.

    A field of view that is another moves and stretches all points of its series together.
    """
    series = _series(marks)
    groups = [
        np.concatenate([chain for chain in chains if series[int(chain[0])] == one])
        for one in dict.fromkeys(series[int(chain[0])] for chain in chains)
    ]
    if len(groups) < 2:
        return [(0.0, marks.shape)]
    middle = marks.shape.mean.reshape(-1, 2)
    loose = marks.shape.covariance.copy()
    for group in groups:
        modes = np.zeros((3, *middle.shape))
        modes[0, group, 0] = modes[1, group, 1] = 1.0
        modes[2, group] = middle[group] - middle[group].mean(axis=0)
        modes *= np.array([spec.view_moved, spec.view_moved, spec.view_stretched])[:, None, None]
        flat = modes.reshape(3, -1)
        loose += flat.T @ flat
    other = replace(marks.shape, covariance=loose, known={})
    return [
        (float(np.log1p(-spec.other_views)), marks.shape),
        (float(np.log(spec.other_views)), other),
    ]


def _series(marks: Marks) -> dict[int, int]:
    """Return, for each point, the first point that lies on the same series in most studies."""
    names = np.full((len(marks.studies), len(marks.keys)), "", dtype=object)
    names[marks.place[:, 0], marks.place[:, 1]] = marks.frame["series"].cast(pl.String).to_numpy()
    first: dict[int, int] = {}
    for point in range(len(marks.keys)):
        first[point] = point
        for other in range(point):
            both = (names[:, point] != "") & (names[:, other] != "")
            if both.any() and (names[both, point] == names[both, other]).mean() > 0.5:
                first[point] = first[other]
                break
    return first


def _alike(known: NDArray[np.bool_]) -> Iterator[tuple[Ints, Ints]]:
    """Yield (points, studies) of the studies that have the same points, if they have any."""
    patterns, whose = np.unique(known, axis=0, return_inverse=True)
    for index, pattern in enumerate(patterns):
        if pattern.any():
            yield np.flatnonzero(pattern), np.flatnonzero(whose.ravel() == index)


def _gains(
    values: Floats, known: Ints, ways: Sequence[Way], shapes: Sequence[tuple[float, Shape]]
) -> Floats:
    """Return (ways, n) nats by which each way fits better than how the points stand.

    A point that no site is left for may lie anywhere in the image.
    """

    def density(points: Ints, names: Ints) -> Floats:
        parts = [share + shape.density(values[:, points], names) for share, shape in shapes]
        return np.asarray(np.logaddexp.reduce(parts, axis=0))

    before, found = density(known, known), np.full((len(ways), len(values)), -np.inf)
    for index, way in enumerate(ways):
        moved = way.truly[known] != known
        if moved.sum() < SHORTEST or moved.all():
            continue
        kept = known[way.truly[known] != GONE]
        order = kept[np.argsort(way.truly[kept])]
        found[index] = density(order, way.truly[order]) - before
    return found


def _told(marks: Marks, row_of: Ints, known: Ints, way: Way) -> dict[str, Any]:
    """Return what stands off in a study, and where the first of these points belongs."""
    moved = known[way.truly[known] != known]
    moved = moved if len(moved) else known
    said = marks.frame.row(int(row_of[moved[0]]), named=True)
    study = marks.values[marks.place[row_of[moved[0]], 0]]
    kept = known[way.truly[known] != GONE]
    right = np.full_like(study, np.nan)
    right[way.truly[kept]] = study[kept]
    share = marks.shape.expect(right, np.sort(way.truly[kept]))[moved[0]]
    return {
        "targets": list(dict.fromkeys(marks.keys[point][0] for point in moved)),
        "sites": list(dict.fromkeys(marks.keys[point][1] for point in moved)),
        "steps": way.steps,
        **{name: said[name] for name in ("series", "slice", "x", "y")},
        "expected_x": float(share[0] * said["width"] + said["left"]),
        "expected_y": float(share[1] * said["height"] + said["top"]),
    }
