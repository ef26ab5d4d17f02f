"""Truth beside prediction: the joined table that every metric reads.

Knows nothing of metrics. Units without truth, without prediction or with pseudo-labels stay out.
Joint derived targets are scored where all their targets are graded and predicted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread import shelf
from overread.records import Labels, Predictions, RecordError, Rubric, Target

__all__ = [
    "Exam",
    "Graded",
    "Measure",
    "Slices",
    "Value",
    "by_confusion",
    "by_target",
    "divide",
    "join",
    "values_of",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# (replicates, subjects) weights -> (replicates,) values; NaN where undefined.
Weighed = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Value:
    """One number. `target` None = all targets; `slice` None = all units; `value` None = undefined.

    `n` counts the units (studies, for a term about studies) behind it.
    """

    target: str | None
    slice: str | None
    value: float | None
    n: int


@dataclass(frozen=True)
class Measure:
    """A number as a function of how much each subject weighs.

    Attributes:
        target: name, None for all.
        slice: such as a site, None for all.
        n: units behind it.
        weighed: (replicates, subjects) weights to (replicates,) values. Integer weights count a
            subject that often, so that one call is a whole bootstrap.
    """

    target: str | None
    slice: str | None
    n: int
    weighed: Weighed


class Slices(shelf.Spec):
    """Which parts of the units a metric also has a value of; settings of all that go by target.

    Attributes:
        by_site: also a value per site.
        within: a target; also a value for the units of each of its true grades. So accuracy
            `within: mask` tells how gender is known of bare and of masked faces.
    """

    by_site: bool = True
    within: str | None = None


@dataclass(frozen=True, eq=False)
class Graded:
    """The graded and predicted units of one target.

    Attributes:
        target: the question.
        truth: (n, grades), one-hot unless labels are soft.
        predicted: (n, grades).
        subject: (n,) index among the exam's subjects.
        study: (n,) index among the exam's studies.
        site: (n,) index in the rubric's sites; 0 where the rubric has none.
        unit: (n,) index among the exam's units.
        num_subjects: of the whole exam.
    """

    target: Target
    truth: Floats
    predicted: Floats
    subject: Ints
    study: Ints
    site: Ints
    unit: Ints
    num_subjects: int

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.truth)

    @property
    def grade(self) -> Ints:
        """(n,) true grade: the most probable one."""
        return np.asarray(self.truth.argmax(axis=1), np.int64)

    def take(self, keep: NDArray[np.bool_]) -> "Graded":
        """Return the units where `keep` is true."""
        return Graded(
            self.target,
            self.truth[keep],
            self.predicted[keep],
            self.subject[keep],
            self.study[keep],
            self.site[keep],
            self.unit[keep],
            self.num_subjects,
        )

    def per_subject(self, values: Floats) -> Floats:
        """Sum (n, k) values of units to (subjects, k)."""
        sums = np.zeros((self.num_subjects, values.shape[1]))
        np.add.at(sums, self.subject, values)
        return sums

    def confusion(self) -> Floats:
        """Return (subjects, grades * grades) counts: true grade by most probable grade."""
        grades = len(self.target.grades)
        cell = self.grade * grades + self.predicted.argmax(axis=1)
        return self.per_subject(np.eye(grades * grades)[cell])


@dataclass(frozen=True, eq=False)
class Exam:
    """All targets of one predictor.

    Attributes:
        rubric: the questions.
        subjects: names, sorted.
        graded: per target that has units.
        derived: per joint derived target that has units; beside the mean over targets, not in it.
    """

    rubric: Rubric
    subjects: tuple[str, ...]
    graded: tuple[Graded, ...]
    derived: tuple[Graded, ...] = ()


def join(
    rubric: Rubric,
    labels: Labels,
    predictions: Predictions,
    *,
    subjects: Sequence[str] | None = None,
) -> Exam:
    """Put truth beside prediction. Row order carries no meaning.

    Args:
        rubric: targets that it does not know are left out.
        labels: rows without grade and pseudo-labels are left out.
        predictions: of one predictor.
        subjects: those that weights will be given for; default: the subjects that are graded.

    Raises:
        RecordError: if there are several predictors, or a row has the wrong number of grades.
    """
    if predictions.frame["predictor"].n_unique() > 1:
        names = sorted(predictions.frame["predictor"].unique())
        raise RecordError(f"one predictor at a time can be scored, found {names}; filter them")
    truth = labels.known().frame.filter(pl.col("origin") != "pseudo")
    both = truth.select("unit", "study", "subject", "site", "target", "probabilities").join(
        predictions.frame.select("unit", "target", predicted="probabilities"),
        on=("unit", "target"),
    )
    both = both.sort("unit", "target")
    people = tuple(sorted(both["subject"].unique()) if subjects is None else subjects)
    parts = [_graded(rubric, target, both, people) for target in rubric.targets]
    joint = [
        _graded(rubric, target, _joint(both, target.name, of), people)
        for target, of in rubric.joint
    ]
    return Exam(
        rubric,
        people,
        tuple(part for part in parts if len(part)),
        tuple(part for part in joint if len(part)),
    )


def _joint(both: pl.DataFrame, name: str, of: tuple[str, ...]) -> pl.DataFrame:
    """Return rows of a combination: products of what is true, and of what is said, of each."""
    whole = both.filter(pl.col("target").is_in(of)).filter(pl.len().over("unit") == len(of))
    parts = [whole.filter(pl.col("target") == one) for one in of]
    return parts[0].with_columns(
        _products(parts, "probabilities"),
        _products(parts, "predicted"),
        target=pl.lit(name),
    )


def _products(parts: list[pl.DataFrame], column: str) -> pl.Series:
    """Return the outer products of each unit's probabilities; the last target changes fastest."""
    found = []
    for chances in zip(*(part[column].to_list() for part in parts), strict=True):
        product = np.ones(1)
        for one in chances:
            product = np.multiply.outer(product, np.array(one, np.float64)).ravel()
        found.append(product.tolist())
    return pl.Series(column, found, dtype=pl.List(pl.Float64))


def _graded(rubric: Rubric, target: Target, both: pl.DataFrame, people: tuple[str, ...]) -> Graded:
    rows = both.filter(pl.col("target") == target.name)
    known = {name: index for index, name in enumerate(people)}
    strangers = set(rows["subject"].unique()) - set(known)
    if strangers:
        raise RecordError(f"subjects without a weight: {sorted(strangers)[:3]}")
    studies = {name: index for index, name in enumerate(sorted(both["study"].unique()))}
    sites = {name: index for index, name in enumerate(rubric.sites)}
    units = {name: index for index, name in enumerate(sorted(both["unit"].unique()))}
    return Graded(
        target,
        _matrix(rows["probabilities"], target),
        _matrix(rows["predicted"], target),
        np.array([known[name] for name in rows["subject"]], np.int64),
        np.array([studies[name] for name in rows["study"]], np.int64),
        np.array([sites.get(name, 0) for name in rows["site"]], np.int64),
        np.array([units[name] for name in rows["unit"]], np.int64),
        len(people),
    )


def _matrix(values: pl.Series, target: Target) -> Floats:
    lengths = set(values.list.len().unique())
    if lengths - {len(target.grades)}:
        raise RecordError(
            f"{target.name} has {len(target.grades)} grades {target.grades}, "
            f"found rows of {sorted(lengths)} probabilities"
        )
    return values.explode().to_numpy().reshape(-1, len(target.grades)).astype(np.float64)


def by_target(
    exam: Exam, weigh: Callable[[Graded], Weighed], spec: Slices, *, scales: Sequence[str] = ()
) -> list[Measure]:
    """Return a measure per target, per target and slice, their mean, and one per derived target.

    Args:
        exam: truth and predictions.
        weigh: makes the number of one group of units.
        spec: which slices.
        scales: of the targets that are measured; empty = all.

    Raises:
        RecordError: if the target to slice by is none of the rubric's.
    """
    parts = [one for one in exam.graded if not scales or one.target.scale in scales]
    measures = [Measure(one.target.name, None, len(one), weigh(one)) for one in parts]
    every = list(measures)
    if len(measures) > 1:
        total = sum(measure.n for measure in measures)
        every.insert(0, Measure(None, None, total, _mean([one.weighed for one in measures])))
    derived = [one for one in exam.derived if not scales or one.target.scale in scales]
    every += [Measure(one.target.name, None, len(one), weigh(one)) for one in derived]
    for one in (*parts, *derived):
        for name, there in _slices(exam, one, spec):
            if len(there):
                every.append(Measure(one.target.name, name, len(there), weigh(there)))
    return every


def _slices(exam: Exam, one: Graded, spec: Slices) -> Iterator[tuple[str, Graded]]:
    """Yield the units of a target by site, and by the true grade of another target."""
    for index, site in enumerate(exam.rubric.sites if spec.by_site else ()):
        yield site, one.take(one.site == index)
    if spec.within is None or spec.within == one.target.name:
        return
    if spec.within not in exam.rubric.names:
        raise RecordError(
            f"within: found {spec.within}, expected one of {', '.join(exam.rubric.names)}"
        )
    other = next((each for each in exam.graded if each.target.name == spec.within), None)
    if other is not None:
        for index, grade in enumerate(other.target.grades):
            units = other.unit[other.grade == index]
            yield f"{spec.within}: {grade}", one.take(np.isin(one.unit, units))


def by_confusion(number: Callable[[Floats], Floats]) -> Callable[[Graded], Weighed]:
    """Return what `by_target` weighs with, for a number of the confusion table alone.

    Args:
        number: of (replicates, grades, grades) counts, true grade by most probable grade.
    """

    def weigh(one: Graded) -> Weighed:
        grades = len(one.target.grades)
        counts = one.confusion()
        return lambda weights: number((weights @ counts).reshape(-1, grades, grades))

    return weigh


def _mean(parts: list[Weighed]) -> Weighed:
    def weighed(weights: Floats) -> Floats:
        values = np.stack([part(weights) for part in parts])
        known = np.isfinite(values)
        sums = np.where(known, values, 0.0).sum(axis=0)
        return divide(sums, known.sum(axis=0).astype(np.float64))

    return weighed


def divide(above: Floats, below: Floats) -> Floats:
    """Divide; NaN where the divisor is zero."""
    nothing = np.full(np.shape(above), np.nan)
    return np.asarray(np.divide(above, below, out=nothing, where=below != 0))


def values_of(measures: Sequence[Measure], num_subjects: int) -> list[Value]:
    """Return the numbers with each subject counted once."""
    ones = np.ones((1, num_subjects))
    numbers = [float(measure.weighed(ones)[0]) for measure in measures]
    return [
        Value(measure.target, measure.slice, number if np.isfinite(number) else None, measure.n)
        for measure, number in zip(measures, numbers, strict=True)
    ]
