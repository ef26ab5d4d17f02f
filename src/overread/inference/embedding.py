"""What slice networks make of slices, as inputs of another network: embeddings and log odds.

They are kept like crops: a "slice" for each network of the member, one row of pixels, masked where
a network may not be asked because it has seen the subject. How networks of different folds are
brought into one basis is the business of the network that reads them.

Legend: n units, K networks, D width of an embedding, T log odds of all targets.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from overread.inference.cuts import StudyCuts
from overread.inference.examples import MemberExamples
from overread.inference.member import EmbedSpec, asked_targets
from overread.inference.predict import predict_member
from overread.inference.study_examples import AsRead
from overread.learning import predict
from overread.models.sequence import EMBEDDING, LOGITS
from overread.models.sequence_network import Sequence as SequenceNetwork
from overread.records import RecordError

__all__ = ["embed_units", "learn_bases"]

TINY = 1e-7
# Slices that tell how the bases of networks lie to each other; more change nothing.
ENOUGH = 20_000


def embed_units(
    networks: Mapping[int, nn.Module],
    examples: MemberExamples,
    asked: Sequence[int],
    spec: EmbedSpec,
) -> dict[str, list[StudyCuts]]:
    """Return what networks make of all units of some studies, a StudyCuts a study.

    Args:
        networks: {fold: network}, of some or all of the K folds; the others' places stay 0.
        examples: all units of the studies, without labels.
        asked: folds of the networks whose say counts; others are there to compare bases by.
        spec: D and K, as the recipe says.

    Returns:
        {":embedding": (n, K, 1, 1, D) float16, ":logits": (n, K, 1, 1, T) float32}.

    Raises:
        RecordError: if an embedding has another width than the recipe says.
    """
    count = len(examples)
    odds_wide = sum(
        len(examples.rubric.target(name).grades) - 1
        for name in asked_targets(examples.rubric, examples.member)
    )
    embedding = np.zeros((count, spec.networks, 1, 1, spec.width), np.float16)
    odds = np.zeros((count, spec.networks, 1, 1, odds_wide), np.float32)
    for place, network in networks.items():
        said = predict_member([network], examples)
        odds[:, place, 0, 0] = np.concatenate([_odds(one) for one in said.values()], axis=1)
        made = _embedding(network, examples)
        if made.shape[1] != spec.width:
            raise RecordError(
                f"embeds: the embedding of a network is {made.shape[1]} wide, the recipe says "
                f"{spec.width}; set its width"
            )
        embedding[:, place, 0, 0] = made
    mask = np.zeros((count, spec.networks), np.bool_)
    mask[:, list(asked)] = True
    return {
        EMBEDDING: _by_study(examples, embedding, mask),
        LOGITS: _by_study(examples, odds, mask),
    }


def _odds(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, G - 1) log odds against the first grade."""
    logs = np.log(np.clip(chances, TINY, 1.0))
    return np.asarray(logs[:, 1:] - logs[:, :1])


def _embedding(network: nn.Module, examples: MemberExamples) -> NDArray[np.float32]:
    """Return (n, D); of members whose answers are averaged with mirrored ones, the mean of both."""
    member = examples.member
    ways = [examples, examples.mirrored()] if member.mirror == "average" else [examples]
    made = [
        predict(
            network,
            way,
            batch=member.batch,
            precision=member.fit.precision,
            device=member.fit.device,
        )["embedding"]
        for way in ways
    ]
    return np.asarray(np.mean(made, axis=0), np.float32)


def _by_study(
    examples: MemberExamples, pixels: NDArray[np.generic], mask: NDArray[np.bool_]
) -> list[StudyCuts]:
    """Return rows of units as a StudyCuts for each study; distances are those of its crops."""
    first = examples.cuts[examples.member.views[0]]
    found = []
    for number, cuts in enumerate(first):
        rows = examples.rows[:, 0] == number
        offsets = np.repeat(np.asarray(cuts.offsets_mm)[:, :1], mask.shape[1], axis=1)
        found.append(StudyCuts(cuts.units, cuts.sites, pixels[rows], mask[rows], offsets))
    return found


def learn_bases(network: nn.Module, examples: AsRead) -> None:
    """Bring the embeddings that a sequence reads into one basis; looks at no labels.

    Args:
        network: a `sequence`; others are left as they are.
        examples: what it is going to learn from.
    """
    if not isinstance(network, SequenceNetwork):
        return
    made = {}
    for name in network.embedded:
        pixels = [np.asarray(one.pixels)[:, :, 0, 0] for one in examples.cuts[name]]
        rows = np.concatenate(pixels)
        step = -(-len(rows) // ENOUGH)
        made[name] = torch.from_numpy(rows[::step].astype(np.float32))
    network.learn_bases(made)
