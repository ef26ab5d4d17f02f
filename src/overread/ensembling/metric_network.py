"""A small network on what the members say of a unit and around it, trained on the metric itself.

For each condition a linear path, and a hidden layer if asked for, add to the logits of the members'
mean. They are trained on the weighted log loss together with the event "any unit of the study has
the worst grade". Both sides of a condition share the network and read their context from the own
side, so a mirrored study gets the mirrored answer. Networks of several seeds are averaged; how
strongly their weights are drawn to 0 is chosen on inner folds, so the answer stays near the mean
where data are few.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize

from overread import shelf
from overread.ensembling.conditions import conditions
from overread.ensembling.context import Around
from overread.ensembling.features import Features, Weakness, normalise, scale_of, tables_of
from overread.ensembling.samples import Sample, cuts, samples_of
from overread.ensembling.sheets import Book, JoinError, Parameters, Truths
from overread.ensembling.softmax import log_softmax
from overread.ensembling.study_loss import study_loss
from overread.shelf import nearest

__all__ = ["Spec", "apply", "fit"]

Floats = NDArray[np.float64]
HARD = 1e3  # as sharp as a maximum, to compare networks by


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        any_worst: {condition: weight} of the event that any unit of a study has the worst grade;
            the log loss weighs 1. A condition goes by the first of its targets.
        weighted: fit to the loss with the rubric's weights; else every unit weighs 1.
        around: kinds of context, see `linear_stack`.
        members: look also at how each member differs from their mean.
        by_site: let each site have its own shift.
        hidden: units of the hidden layer; 0 = the linear path alone, the default because on a
            thousand studies a hidden layer added nothing.
        seeds: networks that are averaged.
        ridges: penalties to choose from, in units of the loss for standardised features.
        sharpness: of the soft maximum over the units of a study.
        steps: of L-BFGS, at most.
        weakness: how strongly kinds of features are drawn to 0, beside context and sites.
        inner: inner folds for the choice of the penalty.
        seed: of the inner folds and of the first network.
        fewest: a condition with fewer graded units stays as the mean is.
        floor: probabilities below count as this.
    """

    any_worst: Mapping[str, float] = {}
    weighted: bool = True
    around: tuple[Around, ...] = ("side", "conditions")
    members: bool = False
    by_site: bool = True
    hidden: int = Field(default=0, ge=0)
    seeds: int = Field(default=2, ge=1)
    ridges: tuple[float, ...] = Field(default=(1e-3, 3e-3, 1e-2), min_length=1)
    sharpness: float = Field(default=8.0, gt=0)
    steps: int = Field(default=60, ge=1)
    weakness: Weakness = Weakness()
    inner: int = Field(default=3, ge=2)
    seed: int = 0
    fewest: int = Field(default=20, ge=1)
    floor: float = Field(default=1e-6, gt=0, lt=0.5)

    def features(self) -> Features:
        """Return what is looked at."""
        return Features(
            around=self.around, members=self.members, by_site=self.by_site, floor=self.floor
        )


def fit(spec: Spec, book: Book, truths: Truths) -> Parameters:
    """Return for each condition the networks' matrices and the scale of the features.

    Raises:
        JoinError: if `any_worst` names no condition.
    """
    known = conditions(book)
    for name in spec.any_worst:
        if name not in known:
            raise JoinError(f'any_worst: "{name}" is no condition; {nearest(name, known)}')
    learnt: dict[str, Floats] = {}
    looked_at = spec.features()
    samples = samples_of(
        looked_at, book, truths, weighted=spec.weighted, inner=spec.inner, seed=spec.seed
    )
    for name, sample in samples.items():
        if len(sample.parts) >= spec.fewest:
            ridge = _choose(spec, name, sample, book)
            scale = scale_of(sample, looked_at, book, spec.weakness)
            units, seeds = sample.normalised(scale), range(spec.seed, spec.seed + _seeds(spec))
            nets = [_train(spec, name, units, ridge, seed) for seed in seeds]
            learnt |= _names(name, scale, nets)
    return learnt


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, grades)}; conditions that were not learnt stay as the mean is."""
    tables = tables_of(spec.features(), book)
    joined = {}
    for name, sheets in conditions(book).items():
        for sheet in sheets:
            table = tables[sheet.target.name]
            logits = table.logs
            if f"linear.{name}" in learnt:
                features = normalise(table.features, learnt[f"scale.{name}"])
                logits = logits + np.mean(
                    [_forward(features, net)[0] for net in _nets(name, learnt)], axis=0
                )
            joined[sheet.target.name] = np.exp(log_softmax(logits))
    return joined


def _seeds(spec: Spec) -> int:
    """Without a hidden layer the loss is convex but for the event: one network will do."""
    return spec.seeds if spec.hidden else 1


def _choose(spec: Spec, name: str, sample: Sample, book: Book) -> float:
    """Return the ridge whose linear path alone, the most of a network, loses least inside."""
    if len(spec.ridges) == 1:
        return spec.ridges[0]
    losses = np.zeros(len(spec.ridges))
    event = spec.any_worst.get(name, 0.0)
    linear = spec.model_copy(update={"hidden": 0})
    for outside, inside in cuts(sample):
        scale = scale_of(outside, spec.features(), book, spec.weakness)
        learn, held = outside.normalised(scale), inside.normalised(scale)
        for index, ridge in enumerate(spec.ridges):
            net = _train(linear, name, learn, ridge, spec.seed)
            logits = held.logs + _forward(held.features, net)[0]
            losses[index] += study_loss(held, logits, event=event, sharpness=HARD)[0]
    return spec.ridges[int(losses.argmin())]


_Net = tuple[
    Floats, Floats, Floats
]  # linear (f, grades), into (f, hidden), out of (hidden, grades)


def _train(spec: Spec, name: str, units: Sample, ridge: float, seed: int) -> _Net:
    """Return the network of smallest penalised loss that L-BFGS finds from a random start."""
    num_features, grades = units.features.shape[1], units.logs.shape[1]
    shapes = (num_features, grades), (num_features, spec.hidden), (spec.hidden, grades)
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    event = spec.any_worst.get(name, 0.0)

    def unpack(values: Floats) -> _Net:
        linear, into, out = np.split(values, ends[:-1])
        return linear.reshape(shapes[0]), into.reshape(shapes[1]), out.reshape(shapes[2])

    def loss(values: Floats) -> tuple[float, Floats]:
        net = unpack(values)
        added, hidden = _forward(units.features, net)
        above, slope = study_loss(units, units.logs + added, event=event, sharpness=spec.sharpness)
        inside = (slope @ net[2].T) * (1 - hidden**2)
        slopes = units.features.T @ slope, units.features.T @ inside, hidden.T @ slope
        grown = np.concatenate([one.ravel() for one in slopes]) + ridge * values
        return above + ridge * float(values @ values) / 2, grown

    start = np.zeros(int(ends[-1]))
    start[ends[0] :] = np.random.default_rng(seed).normal(0, 0.1, int(ends[-1] - ends[0]))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": spec.steps})
    return unpack(found.x)


def _forward(features: Floats, net: _Net) -> tuple[Floats, Floats]:
    """Return what is added to the logits, and the hidden layer."""
    linear, into, out = net
    hidden = np.tanh(features @ into)
    return features @ linear + hidden @ out, hidden


def _names(name: str, scale: Floats, nets: list[_Net]) -> dict[str, Floats]:
    linear, into, out = (np.stack(matrices) for matrices in zip(*nets, strict=True))
    return {
        f"scale.{name}": scale,
        f"linear.{name}": linear,
        f"into.{name}": into,
        f"out.{name}": out,
    }


def _nets(name: str, learnt: Parameters) -> list[_Net]:
    stacks = (learnt[f"linear.{name}"], learnt[f"into.{name}"], learnt[f"out.{name}"])
    return list(zip(*stacks, strict=True))
