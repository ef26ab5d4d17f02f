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
    """A vector scaled channel by channel: sigmoid(W2 relu(W1 x + b1) + b2) (Hu et al. 2018)."""

    def __init__(self, dim: int, reduction: int) -> None:
        super().__init__()
        narrow = max(1, dim // reduction)
        self.inside = nn.Linear(dim, narrow)
        self.outside = nn.Linear(narrow, dim)

    def forward(self, values: Tensor) -> Tensor:
        """Return (N, D) from (N, D)."""
        gate: Tensor = self.outside(self.inside(values).relu()).sigmoid()
        return values * gate


POOLS: Mapping[str, type[nn.Module]] = {
    "average": AveragePool,
    "gem": GeMPool,
    "concat": ConcatPool,
}


class Levels(nn.Module):
    """Pixels from -1 to 1 as the encoder wants them: scaled, shifted, centred."""

    def __init__(self, spec: "Spec", channels: int) -> None:
        super().__init__()
        if spec.scale and len(spec.scale) != channels:
            raise ValueError(
                f"scale and shift need a number for each of {channels} channels; found {spec.scale}"
            )
        self.scale, self.shift, self.centred = spec.scale, spec.shift, spec.centred

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, C, H, W)."""
        if self.scale:
            scale, shift = (
                images.new_tensor(values)[:, None, None] for values in (self.scale, self.shift)
            )
            images = (images + 1) * (scale / 2) + shift
        return images - images.mean((-2, -1), keepdim=True) if self.centred else images


def _others(spec: "Spec", target: str, heads: Mapping[str, int]) -> tuple[str, ...]:
    """Return the heads whose likeliest a head is; one may be a target at an offset ("any@-1")."""
    name, at, step = target.partition("@")
    others = tuple(f"{other}{at}{step}" for other in spec.highest.get(name, ()))
    wrong = [other for other in others if heads.get(other) != 2 or other == target]
    if wrong or (others and heads[target] != 2):
        raise ValueError(
            f"{target} is the highest of {others}, which must be other targets of two grades, as "
            f"it must be; found {dict(heads)}"
        )
    return others


def _likeliest(logits: Tensor) -> Tensor:
    """Return of each sample the logits (B, 2) whose second grade is likeliest, of (B, K, 2)."""
    best = (logits[..., 1] - logits[..., 0]).argmax(1)
    return logits[torch.arange(len(logits), device=logits.device), best]


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
        self.levels = Levels(spec, channels)
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
        self.highest = {target: _others(spec, target, heads) for target in heads}
        self.own = tuple(target for target in heads if not self.highest[target])
        self.heads = nn.ModuleList(
            MultiSampleLinear(dim, heads[target], spec.dropouts) for target in self.own
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
        said = {target: head(vector) for target, head in zip(self.own, self.heads, strict=True)}
        for target, others in self.highest.items():
            if others:
                said[target] = _likeliest(torch.stack([said[name] for name in others], 1))
        outputs = {f"logits.{target}": said[target] for target in self.targets}
        return {**outputs, "embedding": vector}

    def embed(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return what the heads read (B, D)."""
        images = [
            batch[view] * batch[f"{view}.mask"][..., None, None, None].to(batch[view].dtype)
            for view in self.views
        ]
        stacked = self.levels(torch.cat([image.flatten(1, 2) for image in images], 1))
        if self.tell_missing:
            mask = torch.cat([batch[f"{view}.mask"] for view in self.views], 1).to(stacked.dtype)
            marks = mask[..., None, None].expand(-1, -1, *stacked.shape[-2:])
            stacked = torch.cat([stacked, marks], 1)
        vector: Tensor = self.gate(self.pool(self.convolutions(self.encoder(stacked))))
        return vector
