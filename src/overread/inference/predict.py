"""The answers of a member's networks for units, left and right treated alike.

Where crops and networks come from is not known here.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import nn

from overread.inference.examples import MemberExamples
from overread.inference.member import asked_targets
from overread.learning import Progress, predict
from overread.records import Predictions

__all__ = ["member_predictions", "predict_member"]

Floats = NDArray[np.float64]


def predict_member(
    networks: Sequence[nn.Module],
    examples: MemberExamples,
    *,
    on_progress: Progress | None = None,
) -> dict[str, Floats]:
    """Return {target: (n, grades) probabilities} of the units, the mean over the networks.

    With `mirror: average` each network's answer is the mean of f(x) and swap(f(mirror(x))); with
    `shared` one side is f(x) and the other f(mirror(x)). Both give a mirrored study exactly
    swapped grades.

    Args:
        networks: of one member: of one fold (out of fold), or of all folds (new studies).
        examples: the units, without a generator's chance in them.
        on_progress: told (stage, done, total).
    """
    answers = [_answer(network, examples, on_progress) for network in networks]
    names = asked_targets(examples.rubric, examples.member)
    return {name: np.mean([answer[name] for answer in answers], axis=0) for name in names}


def _answer(
    network: nn.Module, examples: MemberExamples, on_progress: Progress | None
) -> dict[str, Floats]:
    straight = _softmaxed(network, examples, on_progress)
    if examples.member.mirror == "none":
        return straight
    turned = _softmaxed(network, examples.mirrored(), on_progress)
    rubric = examples.rubric
    found: dict[str, Floats] = {}
    for name in asked_targets(rubric, examples.member):
        partner = rubric.partner(name)
        if name not in straight:
            found[name] = turned[partner]
        elif partner not in straight:
            found[name] = straight[name]
        else:
            found[name] = (straight[name] + turned[partner]) / 2
    return found


def _softmaxed(
    network: nn.Module, examples: MemberExamples, on_progress: Progress | None
) -> dict[str, Floats]:
    member = examples.member
    outputs = predict(
        network,
        examples,
        batch=member.batch,
        precision=member.fit.precision,
        device=member.fit.device,
        on_progress=on_progress,
    )
    prefix = "logits."
    return {
        name.removeprefix(prefix): _softmax(np.asarray(logits, np.float64))
        for name, logits in outputs.items()
        if name.startswith(prefix)
    }


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def member_predictions(
    probabilities: Mapping[str, Floats],
    units: pl.DataFrame,
    *,
    predictor: str,
    role: str,
    fold: int | None = None,
) -> Predictions:
    """Return the table of a member's answers.

    Args:
        probabilities: {target: (n, grades)}.
        units: columns unit, study, subject, site; n rows in the order of the probabilities.
        predictor: the member's name.
        role: "oof" or "new".
        fold: whose networks made them; None when several folds were averaged.
    """
    tables = [
        units.select("unit", "study", "subject", "site").with_columns(
            pl.lit(target).alias("target"),
            pl.Series("probabilities", values.tolist(), dtype=pl.List(pl.Float64)),
            pl.lit(fold, pl.Int64).alias("fold"),
            pl.lit(predictor).alias("predictor"),
            pl.lit(role).alias("role"),
        )
        for target, values in probabilities.items()
    ]
    return Predictions(pl.concat(tables)) if tables else Predictions.empty()
