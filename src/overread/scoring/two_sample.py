"""Can a classifier tell two sets apart? A two-sample test on tables.

Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests, ICLR 2017: a gradient-boosted
classifier learns which set a row is from, with whole subjects held out; 0.5 of its area under the
curve is chance, and what it uses is where the sets differ. Knows no rubric and no files.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread import shelf
from overread.records import RecordError

__all__ = ["TwoSample", "TwoSampleSpec", "two_sample"]

Floats = NDArray[np.float64]


class TwoSampleSpec(shelf.Spec):
    """Settings.

    Attributes:
        folds: of subjects, for the classifier.
        rounds: of boosting.
        leaf: fewest rows of a leaf.
        bootstrap: replicates for the interval; whole subjects are drawn.
        interval: percentiles of the replicates.
        seed: of folds, classifier and draws.
    """

    folds: int = Field(default=5, ge=2)
    rounds: int = Field(default=60, ge=1)
    leaf: int = Field(default=10, ge=1)
    bootstrap: int = Field(default=500, ge=0)
    interval: tuple[float, float] = (2.5, 97.5)
    seed: int = 0


@dataclass(frozen=True)
class TwoSample:
    """How well two sets can be told apart.

    Attributes:
        auc: of the classifier on held-out subjects; 0.5 = not at all.
        low, high: 95 % interval over subjects; None without replicates.
        n: rows of the first and of the second set.
    """

    auc: float
    low: float | None
    high: float | None
    n: tuple[int, int]


def two_sample(
    first: Floats,
    second: Floats,
    subjects: tuple[NDArray[np.generic], NDArray[np.generic]] | None = None,
    *,
    spec: TwoSampleSpec,
) -> TwoSample:
    """Return how well a classifier tells the rows of two sets apart.

    Args:
        first: (n, columns) numbers, NaN where missing (which may itself tell).
        second: (m, columns).
        subjects: persons of the rows of each set, held out whole; None = each row is a person.
        spec: settings.

    Raises:
        RecordError: if the columns differ, or a set has fewer subjects than folds.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold

    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise RecordError(f"two sets of shapes {first.shape} and {second.shape}, columns differ")
    values, truth = np.concatenate([first, second]), np.repeat([0, 1], [len(first), len(second)])
    people = _people(first, second, subjects)
    if min(len(np.unique(people[truth == side])) for side in (0, 1)) < spec.folds:
        raise RecordError(f"each set needs {spec.folds} subjects at least to be told apart")
    said = np.zeros(len(values))
    split = StratifiedGroupKFold(spec.folds, shuffle=True, random_state=spec.seed)
    for train, test in split.split(values, truth, people):
        model = HistGradientBoostingClassifier(
            max_iter=spec.rounds, min_samples_leaf=spec.leaf, random_state=spec.seed
        )
        said[test] = model.fit(values[train], truth[train]).predict_proba(values[test])[:, 1]
    low, high = _interval(truth, said, people, spec)
    return TwoSample(float(roc_auc_score(truth, said)), low, high, (len(first), len(second)))


def _people(
    first: Floats,
    second: Floats,
    subjects: tuple[NDArray[np.generic], NDArray[np.generic]] | None,
) -> NDArray[np.int64]:
    if subjects is None:
        return np.arange(len(first) + len(second))
    return np.unique(np.concatenate(subjects), return_inverse=True)[1].astype(np.int64)


def _interval(
    truth: NDArray[np.int64], said: Floats, people: NDArray[np.int64], spec: TwoSampleSpec
) -> tuple[float | None, float | None]:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(spec.seed)
    count = int(people.max()) + 1
    found = []
    for _ in range(spec.bootstrap):
        weight = np.bincount(rng.integers(count, size=count), minlength=count)[people]
        if len(np.unique(truth[weight > 0])) == 2:
            found.append(roc_auc_score(truth, said, sample_weight=weight))
    if len(found) < 2:
        return None, None
    low, high = np.percentile(found, spec.interval)
    return float(low), float(high)
