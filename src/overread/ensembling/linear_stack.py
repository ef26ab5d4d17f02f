"""Softmax regression on what the members say of a unit and around it.

The mean of the members is the offset, and every coefficient is drawn to 0: where the data say
little, the answer stays the mean. Both sides of a condition share the coefficients. How strongly
they are drawn is chosen for each condition on inner folds. After Wolpert, Stacked generalization,
Neural Networks 5, 1992.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread import shelf
from overread.ensembling.conditions import conditions
from overread.ensembling.context import Around
from overread.ensembling.features import Features, Weakness, normalise, scale_of, tables_of
from overread.ensembling.samples import Sample, cuts, samples_of
from overread.ensembling.sheets import Book, Parameters, Truths
from overread.ensembling.softmax import fit_softmax, log_softmax

__all__ = ["Spec", "apply", "fit"]

Floats = NDArray[np.float64]


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        weighted: fit to the loss with the rubric's weights; else every unit weighs 1.
        around: kinds of context: "side" (the mirror partner), "conditions" (others at the unit),
            "neighbours" (sites before and after), "study" (the other sites).
        members: look also at how each member differs from the mean: worth it where one is much
            better than the others.
        by_site: let each site have its own shift.
        ridges: penalties to choose from, in units of the loss for standardised features.
        weakness: how strongly kinds of features are drawn to 0, beside context and sites.
        inner: inner folds for that choice.
        seed: of the inner folds.
        fewest: a condition with fewer graded units stays as the mean is.
        floor: probabilities below count as this.
    """

    weighted: bool = True
    around: tuple[Around, ...] = ("side", "conditions")
    members: bool = False
    by_site: bool = True
    ridges: tuple[float, ...] = Field(default=(1e-3, 3e-3, 1e-2, 3e-2), min_length=1)
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
    """Return coefficients, and the scale of the features, for each condition."""
    learnt = {}
    looked_at = spec.features()
    samples = samples_of(
        looked_at, book, truths, weighted=spec.weighted, inner=spec.inner, seed=spec.seed
    )
    for name, sample in samples.items():
        if len(sample.parts) >= spec.fewest:
            ridge = _choose(spec, sample, book)
            scale = scale_of(sample, looked_at, book, spec.weakness)
            learnt[f"scale.{name}"] = scale
            learnt[f"matrix.{name}"] = _fit(sample.normalised(scale), ridge)
    return learnt


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, grades)}; conditions that were not learnt stay as the mean is."""
    joined = {}
    tables = tables_of(spec.features(), book)
    for name, sheets in conditions(book).items():
        for sheet in sheets:
            table = tables[sheet.target.name]
            logits = table.logs
            if f"matrix.{name}" in learnt:
                features = normalise(table.features, learnt[f"scale.{name}"])
                logits = logits + features @ learnt[f"matrix.{name}"]
            joined[sheet.target.name] = np.exp(log_softmax(logits))
    return joined


def _fit(sample: Sample, ridge: float) -> Floats:
    penalty = np.full((sample.features.shape[1], sample.parts.shape[1]), ridge)
    return fit_softmax(sample.features, sample.logs, sample.parts, penalty)


def _choose(spec: Spec, sample: Sample, book: Book) -> float:
    """Return the ridge that gives the smallest loss on the inner folds."""
    if len(spec.ridges) == 1:
        return spec.ridges[0]
    losses = np.zeros(len(spec.ridges))
    for outside, inside in cuts(sample):
        scale = scale_of(outside, spec.features(), book, spec.weakness)
        learn, held = outside.normalised(scale), inside.normalised(scale)
        for index, ridge in enumerate(spec.ridges):
            logits = held.logs + held.features @ _fit(learn, ridge)
            losses[index] -= (held.parts * log_softmax(logits)).sum()
    return spec.ridges[int(losses.argmin())]
