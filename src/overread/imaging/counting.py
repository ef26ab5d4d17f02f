"""A chain of like things, counted from one end: which peaks of a map belong to it, where it starts.

For discs of the spine, of which an image shows an unknown number: one map holds all of them, a
second one the first (lowest), two more the front and back ends. Coordinates are cells of the map
as (x, y); "up" is towards smaller rows. Patients and millimetres are not known here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread.shelf import Spec

__all__ = ["CountSpec", "CountedChain", "count_chain"]

Floats = NDArray[np.float64]
Path = tuple[float, tuple[int, ...]]


class CountSpec(Spec):
    """What a chain looks like, and how much a departure costs.

    Attributes:
        peak: least height of a peak.
        worth: added to the log odds of a peak for taking it into the chain; above 0 it favours
            longer chains.
        nearest, farthest: limits of a step, in typical steps.
        change: cost of a change of step length, times its squared log ratio.
        bend: cost of a bend, times 1 - cosine.
        uneven: cost of a step unlike the typical one, times the squared excess of its log ratio.
        among: the first of the chain is sought among so many of its lowest members.
        width: front to back in steps, where no ends are seen.
    """

    peak: float = Field(default=0.1, ge=0, le=1)
    worth: float = 1.2
    nearest: float = Field(default=0.35, gt=0)
    farthest: float = Field(default=2.4, gt=0)
    change: float = 8.0
    bend: float = 6.0
    uneven: float = 6.0
    among: int = Field(default=4, ge=1)
    width: float = Field(default=0.95, gt=0)


@dataclass(frozen=True, eq=False)
class CountedChain:
    """A chain from its first (lowest) member upwards.

    Attributes:
        points: (n, 2) cells.
        ends: (n, 2, 2) front (left) and back (right) end of each, cells.
        confidence: (n,) height of the peak.
        naming: 0-1, how surely the first is the first; the rest are named after it.
    """

    points: Floats
    ends: Floats
    confidence: Floats
    naming: float

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.points)


def count_chain(
    centres: Floats, fronts: Floats, backs: Floats, first: Floats, spec: CountSpec
) -> CountedChain | None:
    """Return the best chain that the maps show; None where there are not two peaks in line.

    The smoothest chain through the peaks is found by second-order dynamic programming (a step is
    judged by the one before it); where the map of the first has its mass, the chain begins.

    Args:
        centres: (rows, columns) probability that a member's centre lies here.
        fronts: the same for its front end.
        backs: the same for its back end.
        first: (rows, columns), sums to 1: where the first member is.
        spec: see `CountSpec`.
    """
    peaks, height = _peaks(centres, spec.peak)
    if len(peaks) < 2:
        return None
    mass = np.array([_mass(first, peak) for peak in peaks])
    path = _smoothest(peaks, np.maximum(height, mass), spec)
    if len(path) < 2:
        return None
    start = int(np.argmax(mass[path[: spec.among]] * np.sqrt(height[path[: spec.among]])))
    path = path[start:]
    if len(path) < 2:
        return None
    points = peaks[path]
    return CountedChain(
        points,
        _ends(points, _peaks(fronts, spec.peak), _peaks(backs, spec.peak), spec),
        height[path],
        float(np.clip(mass[path[0]], 0, 1)),
    )


def _peaks(chart: Floats, least: float) -> tuple[Floats, Floats]:
    """Return sub-cell places (n, 2) and heights (n,) of the peaks, from the image's foot up."""
    height = np.asarray(chart, np.float64)
    from scipy.ndimage import maximum_filter

    rows, columns = np.nonzero((height == maximum_filter(height, 3)) & (height > least))
    places = np.array(
        [_centred(height, int(y), int(x)) for y, x in zip(rows, columns, strict=True)]
    )
    order = np.argsort(-places[:, 1], kind="stable") if len(places) else np.zeros(0, np.int64)
    return places.reshape(-1, 2)[order], height[rows, columns][order]


def _centred(height: Floats, y: int, x: int, reach: int = 2) -> tuple[float, float]:
    top, left = max(0, y - reach), max(0, x - reach)
    window = height[top : y + reach + 1, left : x + reach + 1] ** 2
    down, right = np.mgrid[top : top + window.shape[0], left : left + window.shape[1]]
    return float((window * right).sum() / window.sum()), float((window * down).sum() / window.sum())


def _mass(chart: Floats, place: Floats, reach: int = 3) -> float:
    x, y = (round(float(value)) for value in place)
    rows, columns = slice(max(0, y - reach), y + reach + 1), slice(max(0, x - reach), x + reach + 1)
    return float(np.asarray(chart)[rows, columns].sum())


def _typical_step(peaks: Floats, evidence: Floats) -> float:
    strong = peaks[evidence > 0.4, 1]
    steps = -np.diff(strong if len(strong) > 1 else peaks[:, 1])
    steps = steps[steps > 1]
    return float(np.median(steps)) if len(steps) else float(np.ptp(peaks[:, 1]) or 1.0)


def _smoothest(peaks: Floats, evidence: Floats, spec: CountSpec) -> list[int]:
    sure = evidence.clip(0.02, 0.97)
    gain = np.log(sure / (1 - sure)) + spec.worth
    typical = _typical_step(peaks, evidence)
    best: dict[tuple[int, int], Path] = {(-1, i): (gain[i], (i,)) for i in range(len(peaks))}
    for new in range(len(peaks)):
        for (before, last), (worth, path) in list(best.items()):
            if last >= new:
                continue
            cost = _step_cost(peaks, (before, last, new), typical, spec)
            total = worth + gain[new] - cost
            if cost < np.inf and total > best.get((last, new), (-np.inf,))[0]:
                best[last, new] = (total, (*path, new))
    return list(max(best.values(), key=lambda one: (len(one[1]) > 1, one[0]))[1])


def _step_cost(peaks: Floats, path: tuple[int, int, int], typical: float, spec: CountSpec) -> float:
    before, last, new = path
    step = peaks[new] - peaks[last]
    length = float(np.linalg.norm(step))
    if -step[1] < spec.nearest * typical or length > spec.farthest * typical:
        return float("inf")
    cost = spec.uneven * max(0.0, abs(float(np.log(length / typical))) - 0.15) ** 2
    if before < 0:
        return cost
    earlier = peaks[last] - peaks[before]
    ratio = length / float(np.linalg.norm(earlier))
    cosine = float(step @ earlier) / (length * float(np.linalg.norm(earlier)))
    return cost + spec.change * float(np.log(ratio)) ** 2 + spec.bend * (1 - cosine)


def _ends(
    points: Floats, fronts: tuple[Floats, Floats], backs: tuple[Floats, Floats], spec: CountSpec
) -> Floats:
    """Return front and back of each member: the best peak at its side, or the chain's usual."""
    found = np.full((len(points), 2, 2), np.nan)
    for index, point in enumerate(points):
        step = _local_step(points, index)
        for side, (peaks, height) in enumerate((fronts, backs)):
            place = _end(point, step, (peaks, height), -1 if side == 0 else 1)
            if place is not None:
                found[index, side] = place
    half = np.linalg.norm(found - points[:, None], axis=-1)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    usual = float(np.nanmedian(half)) if np.isfinite(half).any() else spec.width / 2 * steps.mean()
    for index, point in enumerate(points):
        step = _local_step(points, index)
        across = np.array([-step[1], step[0]]) / np.linalg.norm(step)
        across = across if across[0] > 0 else -across
        for side, sign in enumerate((-1, 1)):
            if np.isnan(found[index, side, 0]):
                found[index, side] = point + sign * usual * across
    return found


def _local_step(points: Floats, index: int) -> Floats:
    low, high = max(index - 1, 0), min(index + 1, len(points) - 1)
    return np.asarray((points[high] - points[low]) / (high - low))


def _end(point: Floats, step: Floats, peaks: tuple[Floats, Floats], side: int) -> Floats | None:
    length = float(np.linalg.norm(step))
    best, worth = None, -np.inf
    for place, height in zip(*peaks, strict=True):
        away = place - point
        along = abs(float(away @ step)) / length
        beside = away[0] * side > 1.5 and float(np.linalg.norm(away)) < 1.2 * length
        if beside and along < 0.45 * length and height - 0.02 * along > worth:
            best, worth = place, height - 0.02 * along
    return best
