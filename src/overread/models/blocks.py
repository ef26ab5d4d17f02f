"""Parts that networks share: pooling, multi-sample dropout, token mixing, positions in mm.

Each part follows the published lumbar system unless it says otherwise; masks are ours.
Shapes: B samples, S tokens, D channels, N images.
"""

from typing import Literal

import torch
from torch import Tensor, nn

__all__ = [
    "AveragePool",
    "CosineLinear",
    "Gate",
    "GeMPool",
    "MultiSampleLinear",
    "Positions",
    "TokenMixer",
    "masked_mean",
]

SHORTEST_MM, LONGEST_MM = 4.0, 400.0
LEARNT_WAVES = 8


class GeMPool(nn.Module):
    """Generalised mean over a map with a learnt exponent (Radenovic et al. 2018)."""

    def __init__(self, power: float = 3.0, floor: float = 1e-6) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), power))
        self.floor = floor

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, D) from (N, D, h, w); negative values count as `floor`."""
        powered = maps.float().clamp(min=self.floor).pow(self.p)
        return powered.mean((-2, -1)).pow(1 / self.p)


class AveragePool(nn.Module):
    """Plain mean over a map."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, D) from (N, D, h, w)."""
        return maps.float().mean((-2, -1))


class MultiSampleLinear(nn.Linear):
    """A linear layer that in training sees the mean of several dropouts of its input.

    The mean of linear layers of dropouts is the linear layer of their mean, so it is computed once.
    """

    def __init__(self, inside: int, outside: int, rates: tuple[float, ...]) -> None:
        super().__init__(inside, outside)
        self.rates = rates

    def forward(self, values: Tensor) -> Tensor:
        """Return (..., outside)."""
        if self.training and self.rates:
            copies = [nn.functional.dropout(values, rate) for rate in self.rates]
            values = torch.stack(copies).mean(0)
        return super().forward(values)


class CosineLinear(nn.Module):
    """`scale` times the cosine between a token and each grade's weight (Deng et al. 2019).

    In training it sees the mean of several dropouts of its input. A token of zeros gives zeros.
    """

    def __init__(
        self, inside: int, outside: int, rates: tuple[float, ...], *, scale: float
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outside, inside))
        nn.init.xavier_uniform_(self.weight)
        self.rates = rates
        self.scale = scale

    def forward(self, values: Tensor) -> Tensor:
        """Return (..., outside), within -scale and scale."""
        values = values.float()
        if self.training and self.rates:
            copies = [nn.functional.dropout(values, rate) for rate in self.rates]
            values = torch.stack(copies).mean(0)
        token = nn.functional.normalize(values, dim=-1)
        grade = nn.functional.normalize(self.weight.float(), dim=-1)
        return self.scale * nn.functional.linear(token, grade)


class Gate(nn.Module):
    """How much each token counts for one question: sigmoid(W2 relu(W1 x)), without biases."""

    def __init__(self, dim: int, narrow: int) -> None:
        super().__init__()
        self.inside = nn.Linear(dim, narrow, bias=False)
        self.outside = nn.Linear(narrow, 1, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens (B, S, D), each scaled by its gate."""
        gate: Tensor = self.outside(self.inside(tokens).relu()).sigmoid()
        return tokens * gate


class TokenMixer(nn.Module):
    """One post-norm transformer block: attention, then a ReLU layer of `hidden`; no dropout."""

    def __init__(self, dim: int, *, heads: int, hidden: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"{dim} channels do not divide into {heads} attention heads")
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm1 = nn.LayerNorm(dim)
        self.feed = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return mixed tokens (B, S, D); tokens where `mask` (B, S) is False are not attended.

        A sample without any token attends to its zeros, which keeps it finite.
        """
        hidden = ~(mask | ~mask.any(1, keepdim=True))
        mixed, _ = self.attention(
            tokens, tokens, tokens, key_padding_mask=hidden, need_weights=False
        )
        tokens = self.norm1(tokens + mixed)
        normed: Tensor = self.norm2(tokens + self.feed(tokens))
        return normed


class Positions(nn.Module):
    """Signed distances in mm become channels that are added to tokens.

    "sinusoidal" adds fixed waves of 4 to 400 mm; "learnt" a linear layer of eight waves and the
    distance itself, which starts at zero.
    """

    def __init__(self, dim: int, kind: Literal["sinusoidal", "learnt"]) -> None:
        super().__init__()
        waves = (dim + 1) // 2 if kind == "sinusoidal" else LEARNT_WAVES
        lengths = torch.logspace(
            torch.tensor(SHORTEST_MM).log10().item(),
            torch.tensor(LONGEST_MM).log10().item(),
            waves,
        )
        self.dim = dim
        self.register_buffer("turns", 2 * torch.pi / lengths, persistent=False)
        self.linear = nn.Linear(2 * LEARNT_WAVES + 1, dim) if kind == "learnt" else None
        if self.linear is not None:
            nn.init.zeros_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)

    def forward(self, offsets_mm: Tensor) -> Tensor:
        """Return (B, S, D) from (B, S)."""
        angles = offsets_mm.unsqueeze(-1).float() * self.get_buffer("turns")
        waves = torch.cat([angles.sin(), angles.cos()], -1)
        if self.linear is None:
            return waves[..., : self.dim]
        scaled = offsets_mm.unsqueeze(-1).float() / LONGEST_MM
        result: Tensor = self.linear(torch.cat([waves, scaled], -1))
        return result


def masked_mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """Return the mean (B, D) of the tokens (B, S, D) where `mask` (B, S) is True; zeros if none."""
    weights = mask.unsqueeze(-1).to(tokens.dtype)
    return (tokens * weights).sum(1) / weights.sum(1).clamp(min=1)
