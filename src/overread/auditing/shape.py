"""How the points of a study lie to one another: a mean and a covariance, and what they imply.

All points of a study, as shares of the image, are one long vector; not every study has every point.
Tails are those of Student's t: points of odd but true spines lie further out than a normal law
allows. How heavy they are is learnt for each point where there are studies enough to tell, and is
4 degrees of freedom where not. Knows no names and no tables.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln

__all__ = ["FREEDOM", "Shape", "learn_shape"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FREEDOM = 4.0
# How firmly 4 degrees of freedom are believed: as firmly as some two hundred studies would tell.
FIRM = 5.0
LIGHTEST = 50.0
# Each number is drawn in to these percentiles before the covariance is taken.
OUTER = (5.0, 95.0)
ROUNDS = 8
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
        freedom: (k,) degrees of freedom of the tails.
        known: inverses by the numbers that they are of; filled as they are asked for.
    """

    mean: Floats
    covariance: Floats
    spread: Floats
    freedom: Floats
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
        offset, volume, distance = self._apart(study, at, own)
        named = at[own]
        nats = volume + _tails(distance, self.spread[named], self.freedom[named])
        return nats, study[named] - offset

    def weights(self, values: Floats) -> Floats:
        """Return (studies,) weights of (studies, k, 2) points: about 1, and less for odd ones."""
        found = np.ones(len(values))
        for index, study in enumerate(values):
            numbers = _numbers(np.flatnonzero(np.isfinite(study).all(axis=1)))
            offset = study.ravel()[numbers] - self.mean[numbers]
            distance = offset @ self._precision(numbers) @ offset
            found[index] = (FREEDOM + len(numbers)) / (FREEDOM + distance)
        return found

    def density(self, points: Floats, at: Ints) -> Floats:
        """Return (n,) log densities of (n, m, 2) points that are all taken to be the points `at`.

        Heavy-tailed as a whole: a spine that is odd everywhere is less odd than its points.
        """
        numbers = _numbers(at)
        if not len(numbers):
            return np.zeros(len(points))
        precision = self._precision(numbers)
        offset = points.reshape(len(points), -1) - self.mean[numbers]
        distance = np.einsum("ni,ij,nj->n", offset, precision, offset)
        size, half = len(numbers), (FREEDOM + len(numbers)) / 2
        scale = gammaln(half) - gammaln(FREEDOM / 2) - size / 2 * np.log(FREEDOM * np.pi)
        volume = 0.5 * np.linalg.slogdet(precision)[1]
        return np.asarray(scale + volume - half * np.log1p(distance / FREEDOM))

    def expect(self, study: Floats, at: Ints) -> Floats:
        """Return (k, 2) where points lie by those `at`; these themselves as they stand."""
        known, expected = _numbers(at), self.mean.copy()
        pull = self._precision(known) @ (study[at].ravel() - self.mean[known])
        expected += self.covariance[:, known] @ pull
        expected[known] = study[at].ravel()
        return np.asarray(expected.reshape(-1, 2))

    def _apart(self, study: Floats, at: Ints, own: Ints) -> tuple[Floats, Floats, Floats]:
        """Return (n, 2) offsets from where the others expect points, log volumes, distances."""
        numbers = _numbers(at)
        precision = self._precision(numbers)
        pull = precision @ (study[at].ravel() - self.mean[numbers])
        place = 2 * own[:, None] + np.arange(2)
        blocks = precision[place[:, :, None], place[:, None, :]]
        offset = np.linalg.solve(blocks, pull[place][..., None])[..., 0]
        volume = np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(blocks)[1]
        return offset, volume, np.einsum("ni,nij,nj->n", offset, blocks, offset)

    def settled(self, values: Floats, slips: float) -> "Shape":
        """Return the shape with the tails that (studies, k, 2) points have around each other.

        Maximum likelihood; a share of `slips` may lie anywhere, and so does not make tails heavy.
        """
        found = np.full((2, *values.shape[:2]), np.nan)
        for index, study in enumerate(values):
            at = np.flatnonzero(np.isfinite(study).all(axis=1))
            if len(at):
                found[:, index, at] = self._apart(study, at, np.arange(len(at)))[1:]
        fitted = [
            _fitted(volume[np.isfinite(volume)], distance[np.isfinite(volume)], slips)
            for volume, distance in zip(found[0].T, found[1].T, strict=True)
        ]
        spread, freedom = np.array(fitted).reshape(-1, 2).T
        return replace(self, spread=spread, freedom=freedom)

    def _precision(self, numbers: Ints) -> Floats:
        """Return the inverse covariance of some numbers; most studies have the same."""
        key = numbers.tobytes()
        if key not in self.known:
            inverse = np.linalg.inv(self.covariance[np.ix_(numbers, numbers)])
            self.known[key] = np.asarray(inverse, np.float64)
        return self.known[key]


def learn_shape(values: Floats, *, slips: float) -> Shape:
    """Learn from (studies, k, 2) points, NaN where not marked.

    Studies count the less, the odder they are (maximum likelihood of Student's t, by reweighting),
    starting from numbers that were drawn in.

    Args:
        values: shares of the image.
        slips: share of points thought to lie anywhere.
    """
    flat = values.reshape(len(values), -1)
    low, high = np.nanpercentile(flat, OUTER, axis=0)
    ones = np.ones(values.shape[1])
    even = np.ones(len(flat))
    shape = Shape(*_moments(np.clip(flat, low, high), even), ones, FREEDOM * ones)
    for _ in range(ROUNDS):
        shape = Shape(*_moments(flat, shape.weights(values)), ones, FREEDOM * ones)
    return shape.settled(values, slips)


def _moments(flat: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the mean and the covariance of the rows, NaN where not known."""
    whole = np.isfinite(flat)
    known = np.where(whole, flat, 0.0)
    mean = weights @ known / (weights @ whole)
    centred = np.where(whole, known - mean, 0.0)
    pairs = np.maximum(whole.T.astype(np.float64) @ whole, 1.0)
    covariance = (centred.T * weights) @ centred / pairs
    # With few studies, points seem to tell more of one another than they do.
    doubt = min(1.0, (flat.shape[1] / len(flat)) ** 2)
    covariance += doubt * np.diag(np.diag(covariance))
    # Pairwise covariances need not be a covariance: negative directions are raised to the noise.
    sizes, ways = np.linalg.eigh((covariance + covariance.T) / 2)
    sizes = np.maximum(sizes, 1e-4 * sizes.max() / len(sizes) + 1e-6)
    return mean, (ways * sizes) @ ways.T


def _tails(distance: Floats, spread: Floats | float, freedom: Floats | float) -> Floats:
    """Return nats of Student's t in two dimensions, but for the volume of the covariance."""
    return np.asarray(
        (freedom + 2) / 2 * np.log1p(distance / spread / freedom) + np.log(spread), np.float64
    )


def _fitted(volume: Floats, distance: Floats, slips: float) -> tuple[float, float]:
    """Return spread and degrees of freedom of the points of one name."""
    if not len(distance):
        return 1.0, FREEDOM

    def loss(scale: Floats) -> float:
        nats = volume + _tails(distance, np.exp(scale[0]), np.exp(scale[1]))
        told = np.logaddexp(np.log1p(-slips) - nats, np.log(slips)).sum()
        return float(FIRM / 2 * (scale[1] - np.log(FREEDOM)) ** 2 - told)

    start = np.log([np.median(distance) / MIDDLE + 1e-9, FREEDOM])
    bounds = [(None, None), (np.log(2.0), np.log(LIGHTEST))]
    spread, freedom = np.exp(minimize(loss, start, method="L-BFGS-B", bounds=bounds).x)
    return float(spread), float(freedom)


def _numbers(at: Ints) -> Ints:
    return np.asarray(2 * at[:, None] + [0, 1], np.int64).ravel()
