"""The joiner that is best on inner folds, fitted again on everything.

So the choice is part of what is fitted, and never sees the fold that it is scored on. A joiner must
beat those before it in the list: put the simpler first.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread import shelf
from overread.ensembling.inner import out_of_fold
from overread.ensembling.joining import apply_joiner, joiner_of
from overread.ensembling.judging import judge_of
from overread.ensembling.sheets import Book, Parameters, Truths
from overread.shelf import Named

__all__ = ["Spec", "apply", "fit"]

Floats = NDArray[np.float64]


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        joiners: to choose from, the simpler first.
        metric: on the shelf of metrics, whose total decides; none = the weighted log loss.
        margin: a later joiner has to be better by this much.
        inner: inner folds.
        seed: of the inner folds.
    """

    joiners: tuple[Named, ...] = Field(
        default=(Named(use="mean"), Named(use="temperature"), Named(use="linear_stack")),
        min_length=1,
    )
    metric: Named | None = None
    margin: float = Field(default=0.0, ge=0)
    inner: int = Field(default=3, ge=2)
    seed: int = 0


def fit(spec: Spec, book: Book, truths: Truths) -> Parameters:
    """Return the place of the chosen joiner, the number of each, and what the chosen one learns."""
    judge = judge_of(spec.metric, book, truths)
    numbers = np.array([judge(_answers(spec, named, book, truths)) for named in spec.joiners])
    chosen = 0
    for place, number in enumerate(numbers):
        if number < numbers[chosen] - spec.margin:
            chosen = place
    module, settings = joiner_of(spec.joiners[chosen])
    learnt = module.fit(settings, book, truths)
    return {
        "chosen": np.array([float(chosen)]),
        "numbers": numbers,
        **{f"joiner.{key}": value for key, value in learnt.items()},
    }


def apply(spec: Spec, book: Book, learnt: Parameters) -> dict[str, Floats]:
    """Return {target: (n, grades)} of the chosen joiner."""
    own = {key[7:]: value for key, value in learnt.items() if key.startswith("joiner.")}
    return apply_joiner(spec.joiners[int(learnt["chosen"][0])], book, own)


def _answers(spec: Spec, named: Named, book: Book, truths: Truths) -> dict[str, Floats]:
    module, settings = joiner_of(named)
    return out_of_fold(
        book,
        truths,
        lambda part, known: module.fit(settings, part, known),
        lambda part, learnt: module.apply(settings, part, learnt),
        count=spec.inner,
        seed=spec.seed,
    )
