"""Have these predictions seen the labels? What an honest table cannot do.

Three signs. *Never wrong*: a table that calls answers 10 % likely must see one in ten come true; a
smoothed or blended copy of the labels never does. *Perfect*: it agrees with the labels better than
any two readers do. *Siblings*: a stacker that was fitted on other rows of the same person follows
what their labels say beyond what its members knew. Knows no files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.auditing.answers import Answers
from overread.auditing.review import Suspicion
from overread.auditing.spec import AuditSpec

__all__ = [
    "NeverWrong",
    "SiblingLeak",
    "copy_suspicions",
    "never_wrong",
    "sibling_leak",
    "sibling_suspicions",
]

Floats = NDArray[np.float64]
# Answers called at most so likely are counted.
CALLED = (0.01, 0.02, 0.05, 0.1, 0.2, 0.34)
RARE = 10


@dataclass(frozen=True)
class NeverWrong:
    """How often answers that were called unlikely came true.

    Attributes:
        called: at most this likely.
        expected: how many should have come true, by the table's own word.
        seen: how many did.
    """

    called: float
    expected: float
    seen: float

    @property
    def evidence(self) -> float:
        """Nats by which "fewer than said" fits better than "as said" (Poisson); 0 if not fewer."""
        if self.seen >= self.expected:
            return 0.0
        logs = self.seen * np.log(self.seen / self.expected) if self.seen else 0.0
        return float(self.expected - self.seen + logs)


def never_wrong(truth: Floats, said: Floats) -> list[NeverWrong]:
    """Count, for a row of bounds, how often answers called at most so likely came true.

    Args:
        truth: (n, grades).
        said: (n, grades) probabilities.
    """
    return [
        NeverWrong(called, float(said[low].sum()), float(truth[low].sum()))
        for called, low in ((called, said <= called) for called in CALLED)
    ]


def copy_suspicions(answers: Sequence[Answers], *, spec: AuditSpec) -> list[Suspicion]:
    """Refuse questions whose answers are a copy of the labels, plain, smoothed or blended in.

    Where no question has enough units to tell, all are taken together.
    """
    pairs = []
    for one in answers:
        used = one.graded & one.answered
        pairs.append((one.truth[used], one.said[used]))
    told = [_copied(truth, said, spec) for truth, said in pairs]
    found = [
        _refused(reason, evidence, one.target.name)
        for one, (reason, evidence) in zip(answers, told, strict=True)
        if reason
    ]
    if found or len(answers) < 2:
        return found
    counts = [never_wrong(truth, said) for truth, said in pairs]
    units = sum(len(truth) for truth, _ in pairs)
    reason, evidence = _never([_together(same) for same in zip(*counts, strict=True)], units, spec)
    return [_refused(reason, evidence, None)] if reason else []


def _refused(reason: str, evidence: float, target: str | None) -> Suspicion:
    words = (
        f"{target or 'all questions'}: {reason}; expected predictions that have not seen these "
        "labels; predict out of fold, and look what the table was made from"
    )
    return Suspicion("leak", "refuse", evidence, words, target=target)


def _together(counts: Sequence[NeverWrong]) -> NeverWrong:
    expected, seen = (sum(getattr(one, name) for one in counts) for name in ("expected", "seen"))
    return NeverWrong(counts[0].called, expected, seen)


def _copied(truth: Floats, said: Floats, spec: AuditSpec) -> tuple[str, float]:
    if len(truth) < spec.fewest:
        return "", 0.0
    reason, evidence = _never(never_wrong(truth, said), len(truth), spec)
    if reason:
        return reason, evidence
    kappa = _kappa(truth, said)
    if kappa >= spec.perfect_kappa and (truth.sum(axis=0) >= RARE).sum() >= 2:
        told = (
            f"the answers agree with {len(truth)} labels almost perfectly (kappa {kappa:.3f}), "
            f"better than readers agree with themselves (allowed: {spec.perfect_kappa:.2f})"
        )
        return told, float(len(truth) * (kappa - spec.perfect_kappa))
    return "", 0.0


def _never(counts: Sequence[NeverWrong], units: int, spec: AuditSpec) -> tuple[str, float]:
    never = [
        one
        for one in counts
        if one.expected >= spec.least_expected and one.seen <= spec.never_wrong * one.expected
    ]
    if units < spec.fewest or not never:
        return "", 0.0
    worst = max(never, key=lambda one: one.evidence)
    told = (
        f"answers that were called at most {worst.called:.0%} likely came true "
        f"{worst.seen:.0f} times in {units} units, and {worst.expected:.0f} were said"
    )
    return told, worst.evidence


def _kappa(truth: Floats, said: Floats) -> float:
    grades = truth.shape[1]
    cell = truth.argmax(axis=1) * grades + said.argmax(axis=1)
    table = np.bincount(cell, minlength=grades**2).reshape(grades, grades) / len(truth)
    chance = float((table.sum(axis=0) * table.sum(axis=1)).sum())
    return float((np.trace(table) - chance) / (1 - chance)) if chance < 1 else 0.0


@dataclass(frozen=True)
class SiblingLeak:
    """How far a joined answer follows the labels of the same person's other units.

    Attributes:
        correlation: of what the joiner adds, with what the others' labels say beyond their answers.
        z: the same in standard errors (whole subjects vary).
        n: units.
    """

    correlation: float
    z: float
    n: int


def sibling_leak(joined: Sequence[Answers], members: Sequence[Sequence[Answers]]) -> SiblingLeak:
    """Measure whether a joiner knows the labels of a unit's siblings.

    What the joiner adds to its members' mean at one unit, and what the labels of the other units of
    the same study say beyond the joiner's answers there, share nothing when every person was held
    out whole: the second has mean zero whatever was predicted. What both owe to the members'
    answers, here and at the siblings, is taken out by regression first.

    Args:
        joined: of the stacker, ordered or binary questions.
        members: of each predictor that it joins.
    """
    names = [one.target.name for one in joined if one.target.scale != "nominal"]
    stacked = {one.target.name: one for one in joined}
    pools = [{one.target.name: one for one in member} for member in members]
    known = [
        [pool[name] for pool in pools if name in pool and _alike(pool[name], stacked[name])]
        for name in names
    ]
    names = [name for name, parts in zip(names, known, strict=True) if parts]
    said = np.concatenate([_expected(stacked[name]) for name in names], axis=1)
    before = np.concatenate(
        [_mean([_expected(one) for one in parts]) for parts in known if parts], axis=1
    )
    grades = [np.arange(stacked[name].truth.shape[2]) for name in names]
    truth = np.concatenate(
        [stacked[name].truth @ one for name, one in zip(names, grades, strict=True)], axis=1
    )
    used = np.isfinite(said) & np.isfinite(before) & np.isfinite(truth)
    added, left = _standard(said - before, used), _standard(truth - said, used)
    beside = _others(left, used)
    controls = np.stack([before, before**2, _others(before, used), _others(before**2, used)], -1)
    used &= used.sum(axis=1, keepdims=True) > 1
    return _correlated(added, beside, controls, used)


def sibling_suspicions(
    joined: Sequence[Answers], members: Sequence[Sequence[Answers]], *, spec: AuditSpec
) -> list[Suspicion]:
    """Refuse a stacker that was fitted on other rows of the persons that it predicts."""
    leak = sibling_leak(joined, members)
    if leak.correlation < spec.sibling_correlation or leak.z < spec.sibling_z:
        return []
    return [
        Suspicion(
            "leak",
            "refuse",
            leak.z**2 / 2,
            "what these predictions add to their members follows the labels of the same subject's "
            f"other units (correlation {leak.correlation:.2f}, {leak.z:.0f} standard errors, "
            f"{leak.n} units), expected none; the folds of the stacker were given to rows: fit it "
            "again with folds of subjects",
        )
    ]


def _alike(one: Answers, other: Answers) -> bool:
    return one.studies == other.studies and one.sites == other.sites


def _expected(one: Answers) -> Floats:
    """Return (s, l) expected grade by the calibrated answer; NaN without an answer."""
    grade = one.believed @ np.arange(one.believed.shape[2])
    return np.where(one.answered, grade, np.nan)


def _mean(parts: Sequence[Floats]) -> Floats:
    """Return the mean over those that answered; NaN where nobody did."""
    stacked = np.stack(parts)
    count = np.isfinite(stacked).sum(axis=0)
    return np.where(count > 0, np.nansum(stacked, axis=0) / np.maximum(count, 1), np.nan)


def _standard(values: Floats, used: NDArray[np.bool_]) -> Floats:
    """Return columns with mean 0 and variance 1; 0 where not used."""
    kept = np.where(used, values, np.nan)
    count = np.maximum(used.sum(axis=0), 1)
    mean = np.nansum(kept, axis=0) / count
    spread = np.sqrt(np.nansum((kept - mean) ** 2, axis=0) / count) + 1e-12
    return np.where(used, (kept - mean) / spread, 0.0)


def _others(values: Floats, used: NDArray[np.bool_]) -> Floats:
    """Return the mean of the other used columns of each row."""
    kept = np.where(used, values, 0.0)
    count = np.maximum(used.sum(axis=1, keepdims=True) - used, 1)
    return np.asarray((kept.sum(axis=1, keepdims=True) - kept) / count)


def _correlated(
    added: Floats, beside: Floats, controls: Floats, used: NDArray[np.bool_]
) -> SiblingLeak:
    products, squares = np.zeros(added.shape), np.zeros((2, *added.shape))
    for column in range(added.shape[1]):
        rows = used[:, column]
        if rows.sum() <= controls.shape[2] + 1:
            continue
        design = np.column_stack([np.ones(rows.sum()), controls[rows, column]])
        pair = np.column_stack([added[rows, column], beside[rows, column]])
        pair -= design @ np.linalg.lstsq(design, pair, rcond=None)[0]
        pair /= pair.std(axis=0) + 1e-12
        products[rows, column] = pair[:, 0] * pair[:, 1]
        squares[:, rows, column] = (pair**2).T
    sums = products.sum(axis=1)
    scale = np.sqrt(squares[0].sum() * squares[1].sum())
    error = np.sqrt((sums**2).sum())
    return SiblingLeak(
        float(sums.sum() / scale) if scale else 0.0,
        float(sums.sum() / error) if error else 0.0,
        int(used.sum()),
    )
