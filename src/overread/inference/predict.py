"""The answers of a member's networks for units, left and right treated alike.

Where crops and networks come from is not known here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import nn

from overread.inference.member import asked_targets
from overread.inference.offsets import gather_offsets, head_names, partner_head
from overread.inference.study_examples import AsRead
from overread.learning import Progress, predict
from overread.records import Predictions

__all__ = ["member_predictions", "predict_member"]

Floats = NDArray[np.float64]


def predict_member(
    networks: Sequence[nn.Module],
    examples: AsRead,
    *,
    on_progress: Progress | None = None,
) -> dict[str, Floats]:
    """Return {target: (n, grades) probabilities} of the units, the mean over the networks.

    Logits are averaged with those of images whose columns are reversed, where the member asks for
    it. With `mirror: average` each network's answer is the mean
    of f(x) and swap(f(mirror(x))); with `shared` one side is f(x) and the other f(mirror(x)). Both
    give a mirrored study exactly swapped grades. What is said of a slice from slices beside it is
    averaged too; then all slices of a scan must be among the units.

    Args:
        networks: of one member: of one fold (out of fold), or of all folds (new studies).
        examples: the units, without a generator's chance in them.
        on_progress: told (stage, done, total).
    """
    member = examples.member
    answers = [_answer(network, examples, on_progress) for network in networks]
    heads = head_names(asked_targets(examples.rubric, member), member.offsets)
    said = {head: np.mean([answer[head] for answer in answers], axis=0) for head in heads}
    if member.offsets == (0,):
        return said
    return gather_offsets(said, examples.scans, member.offsets, member.beyond)


def _answer(
    network: nn.Module, examples: AsRead, on_progress: Progress | None
) -> dict[str, Floats]:
    mirrored = [] if examples.member.mirror == "none" else [examples.mirrored()]
    straight, *rest = _softmaxed(network, [examples, *mirrored], on_progress)
    if not rest:
        return straight
    turned, rubric = rest[0], examples.rubric
    found: dict[str, Floats] = {}
    names = asked_targets(rubric, examples.member)
    for name in head_names(names, examples.member.offsets):
        partner = partner_head(rubric, name)
        if name not in straight:
            found[name] = turned[partner]
        elif partner not in straight:
            found[name] = straight[name]
        else:
            found[name] = (straight[name] + turned[partner]) / 2
    return found


def _softmaxed(
    network: nn.Module, kinds: Sequence[AsRead], on_progress: Progress | None
) -> list[dict[str, Floats]]:
    """Return the probabilities of each kind of examples, the units of all asked together."""
    flips = 2 if kinds[0].member.flip else 1
    ways = [way for kind in kinds for way in (kind, kind.with_columns_reversed())[:flips]]
    logits = _logits(network, _SideBySide(ways), on_progress)
    return [
        {
            name: _softmax(value[:, first : first + flips].mean(axis=1))
            for name, value in logits.items()
        }
        for first in range(0, len(ways), flips)
    ]


@dataclass(frozen=True, eq=False)
class _SideBySide:
    """The same units, or studies, seen in k ways: k rows for each.

    A network that encodes equal slices once so encodes those once that several ways share.
    """

    ways: Sequence[AsRead]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.ways) * len(self.ways[0])

    def batch(
        self, indices: Sequence[int], *, generator: torch.Generator | None
    ) -> dict[str, torch.Tensor]:
        """Return all rows of some units; `indices` hold whole units, in order."""
        units = [index // len(self.ways) for index in indices[:: len(self.ways)]]
        parts = [one.batch(units, generator=generator) for one in self.ways]
        return {
            name: torch.stack([part[name] for part in parts], 1).flatten(0, 1) for name in parts[0]
        }


def _logits(
    network: nn.Module, examples: _SideBySide, on_progress: Progress | None
) -> dict[str, Floats]:
    """Return {target: (units, ways, grades)}."""
    ways, member = len(examples.ways), examples.ways[0].member
    outputs = predict(
        network,
        examples,
        batch=ways * -(-member.batch // ways),
        precision=member.fit.precision,
        device=member.fit.device,
        on_progress=on_progress,
    )
    prefix = "logits."
    return {
        name.removeprefix(prefix): examples.ways[0].of_units(
            logits.astype(np.float64).reshape(-1, ways, *logits.shape[1:])
        )
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
