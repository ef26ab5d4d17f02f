"""The answers of a member's networks for units, left and right treated alike.

Where crops and networks come from is not known here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.imaging import Arrays, tensors
from overread.imaging.reading import Progress
from overread.inference.asking import Network
from overread.inference.engines.graph_network import GraphNetwork
from overread.inference.member import asked_targets
from overread.inference.offsets import gather_offsets, head_names, partner_head
from overread.inference.study_examples import AsRead
from overread.records import Predictions

if TYPE_CHECKING:
    import torch

__all__ = ["member_predictions", "predict_member"]

Floats = NDArray[np.float64]


def predict_member(
    networks: Sequence[Network],
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


def _answer(network: Network, examples: AsRead, on_progress: Progress | None) -> dict[str, Floats]:
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
    network: Network, kinds: Sequence[AsRead], on_progress: Progress | None
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

    def arrays(self, indices: Sequence[int]) -> Arrays:
        """Return all rows of some units; `indices` hold whole units, in order."""
        units = [index // len(self.ways) for index in indices[:: len(self.ways)]]
        parts = [one.arrays(units) for one in self.ways]
        rows = {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}
        return {name: value.reshape(-1, *value.shape[2:]) for name, value in rows.items()}

    def batch(
        self,
        indices: Sequence[int],
        *,
        generator: "torch.Generator | None",  # noqa: ARG002 - there is no chance in it
    ) -> "dict[str, torch.Tensor]":
        """Return the same for torch."""
        return tensors(self.arrays(indices))


def _outputs(
    network: Network, examples: _SideBySide, on_progress: Progress | None
) -> dict[str, NDArray[np.float32]]:
    """Return what the network says of all rows."""
    ways, member = len(examples.ways), examples.ways[0].member
    batch = ways * -(-member.batch // ways)
    if isinstance(network, GraphNetwork):
        rows = range(len(examples))
        parts = [network(examples.arrays(rows[at : at + batch])) for at in rows[::batch]]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    from overread.learning import predict

    return predict(
        network,
        examples,
        batch=batch,
        precision=member.fit.precision,
        device=member.fit.device,
        on_progress=on_progress,
    )


def _logits(
    network: Network, examples: _SideBySide, on_progress: Progress | None
) -> dict[str, Floats]:
    """Return {target: (units, ways, grades)}."""
    ways, outputs = len(examples.ways), _outputs(network, examples, on_progress)
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
