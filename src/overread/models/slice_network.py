"""The network of `slice_attention`: slices of all views to tokens, tokens to grades.

Legend: B units, S slices of a view, T tokens of all views, D channels of a token.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from overread.models.blocks import (
    AveragePool,
    CosineLinear,
    Gate,
    GeMPool,
    MultiSampleLinear,
    Positions,
    TokenMixer,
    masked_mean,
)
from overread.models.encoder import Encoder, build_encoder
from overread.models.repetitions import without_repetitions
from overread.models.shapes import ViewShape

if TYPE_CHECKING:
    from overread.models.slice_attention import Spec

__all__ = ["SliceAttention"]

NARROWEST_GATE = 4


class SliceAttention(nn.Module):
    """The network; see `slice_attention.build`."""

    def __init__(
        self, spec: "Spec", inputs: Mapping[str, ViewShape], heads: Mapping[str, int]
    ) -> None:
        super().__init__()
        self.views = tuple(inputs)
        self.targets = tuple(heads)
        encoders = _encoders(spec, inputs)
        self.encoders = nn.ModuleList(encoders)
        self.encoder_dim = encoders[0].dim
        pool = GeMPool if spec.pool == "gem" else AveragePool
        self.pools = nn.ModuleList(pool() for _ in self.views)
        dim = spec.width or self.encoder_dim
        self.project = nn.Linear(self.encoder_dim, dim) if spec.width else None
        self.planes = nn.Parameter(torch.zeros(len(inputs), dim)) if spec.plane_embedding else None
        self.positions = None if spec.position == "none" else Positions(dim, spec.position)
        self.mixer = (
            TokenMixer(dim, heads=spec.attention_heads, hidden=spec.hidden)
            if spec.mixer == "transformer"
            else None
        )
        narrow = max(NARROWEST_GATE, dim // spec.gate_divisor)
        gated = spec.head == "gated"
        self.gates = nn.ModuleList(Gate(dim, narrow) if gated else nn.Identity() for _ in heads)
        self.scale = spec.scale if spec.heads == "cosine" else None
        cosine = spec.heads == "cosine"
        head = partial(CosineLinear, scale=spec.scale) if cosine else MultiSampleLinear
        self.heads = nn.ModuleList(head(dim, grades, spec.dropouts) for grades in heads.values())
        self.slice_heads = nn.ModuleList(
            MultiSampleLinear(dim, grades, spec.dropouts)
            for grades in heads.values()
            if spec.slice_heads
        )
        self.level = MultiSampleLinear(dim, spec.levels, spec.dropouts) if spec.levels else None

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Grade a batch.

        Args:
            batch: for each view its pixels (B, S, C, H, W), "{view}.mask" (B, S), False = missing,
                and "{view}.offsets" (B, S) in mm where positions are used.

        Returns:
            "logits.{target}" (B, grades); "slices.{target}" (B, T, grades) and "level" (B, levels)
            where asked for; "scale" (B,) of cosine heads. A unit without any slice gets what the
            biases say.
        """
        tokens, mask = self.tokens(batch)
        if self.mixer is not None:
            tokens = self.mixer(tokens, mask)
        outputs = {}
        for index, target in enumerate(self.targets):
            gated = self.gates[index](tokens)
            outputs[f"logits.{target}"] = self.heads[index](masked_mean(gated, mask))
            if self.slice_heads:
                outputs[f"slices.{target}"] = self.slice_heads[index](gated)
        if self.scale is not None:
            outputs["scale"] = tokens.new_full((len(tokens),), self.scale, dtype=torch.float32)
        if self.level is not None:
            outputs["level"] = self.level(masked_mean(tokens, mask))
        return outputs

    def tokens(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the tokens (B, T, D) of all views, zeros where missing, and their mask (B, T)."""
        masks = [batch[f"{view}.mask"].bool() for view in self.views]
        present = [batch[view][mask] for view, mask in zip(self.views, masks, strict=True)]
        features = self._encode(present)
        tokens = []
        for index, (view, mask) in enumerate(zip(self.views, masks, strict=True)):
            value = features[index] if self.project is None else self.project(features[index])
            if self.planes is not None:
                value = value + self.planes[index]
            if self.positions is not None:
                value = value + self.positions(batch[f"{view}.offsets"][mask].unsqueeze(0))[0]
            scattered = value.new_zeros(mask.numel(), value.shape[-1])
            where = mask.flatten().nonzero()[:, 0]
            tokens.append(scattered.index_copy(0, where, value).unflatten(0, mask.shape))
        return torch.cat(tokens, 1), torch.cat(masks, 1)

    def _encode(self, present: list[Tensor]) -> list[Tensor]:
        """Return pooled features of each view's present slices (N, C, H, W), in few passes.

        In evaluation a slice that fills several slots is encoded once; so is one that occurs in
        several units, such as a study beside its mirror image.
        """
        if not self.training:
            parts = [without_repetitions(images) for images in present]
            features = self._pooled([images for images, _ in parts])
            return [found[where] for found, (_, where) in zip(features, parts, strict=True)]
        return self._pooled(present)

    def _pooled(self, present: list[Tensor]) -> list[Tensor]:
        if len(self.encoders) == 1:
            maps = _in_one_pass(self.encoders[0], present)
        else:
            maps = [
                encoder(images) if len(images) else None
                for encoder, images in zip(self.encoders, present, strict=True)
            ]
        return [
            images.new_zeros(0, self.encoder_dim).float() if found is None else pool(found)
            for pool, found, images in zip(self.pools, maps, present, strict=True)
        ]


def _encoders(spec: "Spec", inputs: Mapping[str, ViewShape]) -> list[Encoder]:
    channels = [shape.channels for shape in inputs.values()]
    wanted = channels[:1] if spec.shared else channels
    return [build_encoder(spec, channels=count) for count in wanted]


def _in_one_pass(encoder: nn.Module, present: list[Tensor]) -> list[Tensor | None]:
    """Encode the slices of all views, those of one size together; None where there is none."""
    maps: list[Tensor | None] = [None] * len(present)
    for shape in dict.fromkeys(tuple(images.shape[1:]) for images in present if len(images)):
        chosen = [i for i, x in enumerate(present) if len(x) and tuple(x.shape[1:]) == shape]
        together = encoder(torch.cat([present[i] for i in chosen]))
        parts = together.split([len(present[i]) for i in chosen])
        for index, part in zip(chosen, parts, strict=True):
            maps[index] = part
    return maps
