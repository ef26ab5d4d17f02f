"""How the points of a study lie to one another: a mean and a covariance, and what they imply.

All points of a study, as shares of the image, are one long vector; not every study has every point.
Tails are those of Student's t with 4 degrees of freedom: points of odd but true spines lie further
out than a normal law allows. Knows no names and no tables.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["FREEDOM", "Shape", "learn_shape"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FREEDOM = 4.0
# Each number is drawn in to these percentiles before the covariance is taken.
OUTER = (5.0, 95.0)
# Median of the squared length of a normal vector of two numbers.
MIDDLE = 2 * np.log(2)


@dataclass(frozen=True, eq=False)
class Shape:
    """How k points lie over a set.

    Attributes:
        mean: (2k,) x and y of each point in turn.
        covariance: (2k, 2k).
        spread: (k,) how much further than the covariance says points lie from where the others
            expect them, squared.
        known: inverses by the numbers that they are of; filled as they are asked for.
    """

    mean: Floats
    covariance: Floats
    spread: Floats
    known: dict[bytes, Floats] = field(default_factory=dict)

    def judge(self, study: Floats, at: Ints, own: Ints) -> tuple[Floats, Floats]:
        """Weigh points, each given the others.

        Args:
            study: (k, 2) points, NaN where not marked.
            at: (m,) the points that are believed, and that are judged.
            own: (n,) which of these, by place in `at`, are judged.

        Returns:
            (n,) nats by which "anywhere in the image" explains the point better, and (n, 2) where
            the others expect it.
        """
        offset, blocks, distance = self._apart(study, at, own)
        spread = self.spread[at[own]]
        tails = (FREEDOM + 2) / 2 * np.log1p(distance / spread / FREEDOM)
        volume = np.log(2 * np.pi) + np.log(spread) - 0.5 * np.linalg.slogdet(blocks)[1]
        return tails + volume, study[at][own] - offset

    def _apart(self, study: Floats, at: Ints, own: Ints) -> tuple[Floats, Floats, Floats]:
        """Return offsets (n, 2) from where the others expect points, precisions, distances."""
        numbers = _numbers(at)
        precision = self._precision(numbers)
        pull = precision @ (study[at].ravel() - self.mean[numbers])
        place = 2 * own[:, None] + np.arange(2)
        blocks = precision[place[:, :, None], place[:, None, :]]
        offset = np.linalg.solve(blocks, pull[place][..., None])[..., 0]
        return offset, blocks, np.einsum("ni,nij,nj->n", offset, blocks, offset)

    def settled(self, values: Floats) -> "Shape":
        """Return the shape with the spread that (studies, k, 2) points have around each other."""
        found = np.full(values.shape[:2], np.nan)
        for index, study in enumerate(values):
            at = np.flatnonzero(np.isfinite(study).all(axis=1))
            if len(at):
                found[index, at] = self._apart(study, at, np.arange(len(at)))[2]
        return replace(self, spread=np.nanmedian(found, axis=0) / MIDDLE + 1e-9)

    def _precision(self, numbers: Ints) -> Floats:
        """Return the inverse covariance of some numbers; most studies have the same."""
        key = numbers.tobytes()
        if key not in self.known:
            inverse = np.linalg.inv(self.covariance[np.ix_(numbers, numbers)])
            self.known[key] = np.asarray(inverse, np.float64)
        return self.known[key]


def learn_shape(values: Floats) -> Shape:
    """Learn from (studies, k, 2) points, NaN where not marked; wild ones count as far, not wild."""
    flat = values.reshape(len(values), -1)
    low, high = np.nanpercentile(flat, OUTER, axis=0)
    inner = np.clip(flat, low, high)
    mean = np.nanmean(inner, axis=0)
    whole = np.isfinite(inner)
    centred = np.where(whole, inner - mean, 0.0)
    pairs = np.maximum(whole.T.astype(np.float64) @ whole, 1.0)
    covariance = centred.T @ centred / pairs
    # With few studies, points seem to tell more of one another than they do.
    doubt = min(1.0, (flat.shape[1] / len(flat)) ** 2)
    covariance += doubt * np.diag(np.diag(covariance))
    # Pairwise covariances need not be a covariance: negative directions are raised to the noise.
    sizes, ways = np.linalg.eigh((covariance + covariance.T) / 2)
    sizes = np.maximum(sizes, 1e-4 * sizes.max() / len(sizes) + 1e-6)
    once = Shape(mean, (ways * sizes) @ ways.T, np.ones(values.shape[1]))
    return once.settled(values)


def _numbers(at: Ints) -> Ints:
    return np.asarray(2 * at[:, None] + [0, 1], np.int64).ravel()
