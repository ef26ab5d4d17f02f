"""Grade a unit from all its slices at once: slices and windows become channels of one image.

Sources: RSNA 2019 head CT, 3rd place (a slice and its neighbours, SE-ResNeXt, a squeeze-excitation
gate on the pooled vector); RSNA 2024 lumbar "stack-40" (forty slices of a study, two convolutions
before the pooling). What is missing is a channel of zeros, and `tell_missing` adds one channel a
slice that says so, which is ours. It does not know what the targets mean.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from overread.models.blocks import AveragePool, GeMPool, MultiSampleLinear
from overread.models.encoder import EncoderSpec, build_encoder
from overread.models.shapes import ViewShape

__all__ = ["Spec", "StackChannels", "build"]


class Spec(EncoderSpec):
    """Settings of the network.

    Attributes:
        pool: how the last map becomes a vector: its mean, GeM, or mean and maximum side by side.
        convolutions: widths of 3 x 3 convolutions (with batch norm and ReLU) before the pooling.
        gate: reduction of a squeeze-excitation gate on the pooled vector; 0 = none.
        dropouts: rates of multi-sample dropout before each linear head; empty = none.
        tell_missing: give the network a channel for each slice that is 1 where the slice is there.
    """

    pool: Literal["average", "gem", "concat"] = "average"
    convolutions: tuple[int, ...] = ()
    gate: int = Field(0, ge=0)
    dropouts: tuple[float, ...] = (0.5,)
    tell_missing: bool = False


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
    """The network; see `build`."""

    def __init__(
        self, spec: Spec, inputs: Mapping[str, ViewShape], heads: Mapping[str, int]
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


def build(
    spec: Spec, *, inputs: Mapping[str, ViewShape], heads: Mapping[str, int], seed: int
) -> StackChannels:
    """Build the network for these views and targets.

    Args:
        spec: settings.
        inputs: name and shape of each view, in the order of the channels; one size for all.
        heads: {target: number of grades}.
        seed: of the weights that are not pretrained.

    Raises:
        ValueError: if there is no view or target, or views differ in height or width.
    """
    if not inputs or not heads:
        raise ValueError(f"a network needs views and targets; found {dict(inputs)}, {dict(heads)}")
    sizes = {view: (shape.height, shape.width) for view, shape in inputs.items()}
    if len(set(sizes.values())) != 1:
        raise ValueError(
            f"slices that become channels must have one size in pixels; found {sizes}: give the "
            "views the same `pixels`"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return StackChannels(spec, inputs, heads)
