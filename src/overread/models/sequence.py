"""Grade all slices of a scan at once, from what slice networks made of each: context along a scan.

A bidirectional LSTM or a transformer runs over the embeddings and the answers of the slices, and
adds to the answers; at the start it adds next to nothing. Sources: RSNA 2019 head CT hemorrhage,
1st and 2nd place (sequence networks over slice embeddings: log loss .070 to .057).

Networks of different folds make embeddings in different bases. Those of one slice network are
brought together by linear maps that know no labels: each predicts the principal components of the
first network's embeddings. See `docs/decisions/0012`. It does not know what the targets mean.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from overread.models.shapes import StudyUnits, ViewShape
from overread.shelf import Spec as ShelfSpec

if TYPE_CHECKING:
    from overread.models.sequence_network import Sequence

__all__ = ["EMBEDDING", "LOGITS", "Spec", "build"]

EMBEDDING, LOGITS = ":embedding", ":logits"
"""How inputs end: (networks, 1, 1, width) of each slice, masked where a network is not asked."""


class Spec(ShelfSpec):
    """Settings of the network.

    Attributes:
        mix: what runs along the scan.
        width: of its layers; even.
        layers: of them.
        attention_heads: of the transformer; they divide the width.
        components: of the embeddings of each slice network; 0 = their answers alone.
        ridge: of the maps that bring embeddings together, as a share of their mean variance.
        dropout: of what goes in and what comes out.
        by_target: read the scan once for each log odds, with the same weights: its own, the
            greatest of all, and which one it is. Six times the work for six targets, and less
            to learn by heart where scans are few.
    """

    mix: Literal["lstm", "transformer"] = "lstm"
    width: int = Field(64, ge=2, multiple_of=2)
    layers: int = Field(1, ge=1)
    attention_heads: int = Field(4, ge=1)
    components: int = Field(32, ge=0)
    ridge: float = Field(1e-2, gt=0)
    dropout: float = Field(0.3, ge=0, lt=1)
    by_target: bool = False


def build(
    spec: Spec,
    *,
    inputs: Mapping[str, ViewShape],
    heads: Mapping[str, int],
    seed: int,
    units: StudyUnits | None = None,
) -> "Sequence":
    """Build the network for what these slice networks say.

    Args:
        spec: settings.
        inputs: "{member}:embedding" and "{member}:logits", by unit: slices are the networks of a
            member, the width is that of the embedding or of all log odds.
        heads: {target: number of grades}; every member answers all of them, in this order.
        seed: of the weights.
        units: of the studies; needed.

    Raises:
        ValueError: if it is not asked to read studies, or inputs are no such answers.
    """
    odds = sum(grades - 1 for grades in heads.values())
    answers = [shape for name, shape in inputs.items() if name.endswith(LOGITS)]
    strange = [name for name in inputs if not name.endswith((EMBEDDING, LOGITS))]
    if units is None or strange or not answers:
        raise ValueError(
            f"sequence reads studies by what other members say of their units; found inputs "
            f"{list(inputs)}: set reads: study and embeds, and no views"
        )
    if any(shape.width != odds for shape in answers):
        raise ValueError(
            f"members that a sequence reads answer its targets, {odds} log odds; found "
            f"{[shape.width for shape in answers]}: give all the same targets"
        )
    import torch

    from overread.models.sequence_network import Sequence

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Sequence(spec, inputs, heads)
