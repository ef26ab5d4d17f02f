"""The network of `stack_channels`: slices and windows as channels of one image."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from overread.models.blocks import AveragePool, GeMPool, MultiSampleLinear
from overread.models.encoder import build_encoder
from overread.models.shapes import ViewShape

if TYPE_CHECKING:
    from overread.models.stack_channels import Spec

__all__ = ["StackChannels"]


class ConcatPool(nn.Module):
    """Mean and maximum of a map, side by side."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, 2 D) from (N, D, h, w)."""
        return torch.cat([maps.float().mean((-2, -1)), maps.float().amax((-2, -1))], -1)


class SqueezeGate(nn.Module):
    """A vector scaled channel by channel: sigmoid(W2 relu(W1 x)) (Hu et al. 2018)."""

    def __init__(self, dim: int, reduction: int) -> None:
        super().__init__()
        narrow = max(1, dim // reduction)
        self.inside = nn.Linear(dim, narrow, bias=False)
        self.outside = nn.Linear(narrow, dim, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        """Return (N, D) from (N, D)."""
        gate: Tensor = self.outside(self.inside(values).relu()).sigmoid()
        return values * gate


POOLS: Mapping[str, type[nn.Module]] = {
    "average": AveragePool,
    "gem": GeMPool,
    "concat": ConcatPool,
}


class StackChannels(nn.Module):
    """The network; see `stack_channels.build`."""

    def __init__(
        self, spec: "Spec", inputs: Mapping[str, ViewShape], heads: Mapping[str, int]
    ) -> None:
        super().__init__()
        self.views = tuple(inputs)
        self.targets = tuple(heads)
        self.tell_missing = spec.tell_missing
        channels = sum(shape.slices * shape.channels for shape in inputs.values())
        marks = sum(shape.slices for shape in inputs.values()) if spec.tell_missing else 0
        self.encoder = build_encoder(spec, channels=channels + marks)
        layers: list[nn.Module] = []
        dim = self.encoder.dim
        for width in spec.convolutions:
            layers += [
                nn.Conv2d(dim, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            dim = width
        self.convolutions = nn.Sequential(*layers)
        self.pool = POOLS[spec.pool]()
        dim *= 2 if spec.pool == "concat" else 1
        self.gate = SqueezeGate(dim, spec.gate) if spec.gate else nn.Identity()
        self.dim = dim
        self.heads = nn.ModuleList(
            MultiSampleLinear(dim, grades, spec.dropouts) for grades in heads.values()
        )

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Grade a batch.

        Args:
            batch: for each view its pixels (B, S, C, H, W) and "{view}.mask" (B, S), False =
                missing.

        Returns:
            "logits.{target}" (B, grades), and "embedding" (B, D): what the heads read.
        """
        vector = self.embed(batch)
        outputs = {
            f"logits.{target}": head(vector)
            for target, head in zip(self.targets, self.heads, strict=True)
        }
        return {**outputs, "embedding": vector}

    def embed(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return what the heads read (B, D)."""
        images = [
            batch[view] * batch[f"{view}.mask"][..., None, None, None].to(batch[view].dtype)
            for view in self.views
        ]
        stacked = torch.cat([image.flatten(1, 2) for image in images], 1)
        if self.tell_missing:
            mask = torch.cat([batch[f"{view}.mask"] for view in self.views], 1).to(stacked.dtype)
            marks = mask[..., None, None].expand(-1, -1, *stacked.shape[-2:])
            stacked = torch.cat([stacked, marks], 1)
        vector: Tensor = self.gate(self.pool(self.convolutions(self.encoder(stacked))))
        return vector
