"""The network of `sequence`: what slice networks made of each slice, read along the scan.

Legend: B studies, U slices, K networks of a member, D width of an embedding, C components,
M members that answered, T log odds of all targets, G grades.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from overread.models.blocks import TokenMixer
from overread.models.shapes import ViewShape

if TYPE_CHECKING:
    from overread.models.sequence import Spec

__all__ = ["Sequence", "common_bases"]

MASK = "units.mask"
SOFT = 4.0  # log odds are divided by it on their way in
FAR_MM = 100.0
PLACES = 3  # from the feet, from the head, and height


class Sequence(nn.Module):
    """The network; see `sequence.build`.

    Attributes:
        embedded: inputs that are embeddings; `bases.{number}` and `means.{number}` are their maps.
    """

    def __init__(
        self, spec: "Spec", inputs: Mapping[str, ViewShape], heads: Mapping[str, int]
    ) -> None:
        super().__init__()
        self.heads = dict(heads)
        self.components, self.ridge = spec.components, spec.ridge
        self.answered = tuple(name for name in inputs if name.endswith(":logits"))
        names = tuple(name for name in inputs if name.endswith(":embedding"))
        self.embedded = names if spec.components else ()
        odds = sum(grades - 1 for grades in heads.values())
        for number, name in enumerate(self.embedded):
            networks, width = inputs[name].slices, inputs[name].width
            shape = (networks, width, spec.components)
            self.register_buffer(f"bases{number}", torch.zeros(shape))
            self.register_buffer(f"means{number}", torch.zeros(networks, width))
        self.by_target = spec.by_target
        heard = len(self.answered) * 2 + odds if spec.by_target else len(self.answered) * odds
        inside = heard + len(self.embedded) * spec.components + PLACES
        self.enter = nn.Linear(inside, spec.width)
        self.mix = _Lstm(spec) if spec.mix == "lstm" else _Transformer(spec)
        self.dropout = nn.Dropout(spec.dropout)
        self.leave = nn.Linear(spec.width, 1 if spec.by_target else odds)
        nn.init.normal_(self.leave.weight, std=1e-3)
        nn.init.zeros_(self.leave.bias)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Grade a batch of scans.

        Args:
            batch: "units.mask" (B, U), False where a scan has no more slices; for each input its
                values (B, U, K, 1, 1, width), "{input}.mask" (B, U, K) of the networks that are
                asked, and "{input}.offsets" (B, U, K) in mm along the scan.

        Returns:
            "logits.{target}" (B, U, G), the first of which is 0.
        """
        mask = batch[MASK].bool()
        odds = torch.stack([self._heard(batch, name) for name in self.answered], -1)
        aligned = [self._aligned(batch, number) for number in range(len(self.embedded))]
        about = torch.cat([*aligned, self._places(batch, mask)], -1)
        read = self._added_by_target if self.by_target else self._added
        said = odds.mean(-1) + read(odds / SOFT, about, mask)
        found, first = {}, 0
        for target, grades in self.heads.items():
            own = said[..., first : first + grades - 1]
            found[f"logits.{target}"] = torch.cat([torch.zeros_like(own[..., :1]), own], -1)
            first += grades - 1
        return found

    def _added(self, odds: Tensor, about: Tensor, mask: Tensor) -> Tensor:
        """Return what (B, U, T) a scan adds, read once: of its odds (B, U, T, M) and the rest."""
        return self._read(torch.cat([odds.transpose(2, 3).flatten(2), about], -1), mask)

    def _added_by_target(self, odds: Tensor, about: Tensor, mask: Tensor) -> Tensor:
        """Return what (B, U, T) a scan adds, read once for each log odds, with the greatest."""
        scans, _, count, _ = odds.shape
        which = torch.eye(count, dtype=odds.dtype, device=odds.device).expand(*odds.shape[:3], -1)
        rest = about[:, :, None].expand(-1, -1, count, -1)
        greatest = odds.amax(2, keepdim=True).expand_as(odds)
        columns = torch.cat([odds, greatest, rest, which], -1).transpose(1, 2).flatten(0, 1)
        added = self._read(columns, mask.repeat_interleave(count, 0))
        return added.reshape(scans, count, -1).transpose(1, 2)

    def _read(self, columns: Tensor, mask: Tensor) -> Tensor:
        tokens = self.dropout(self.enter(columns).relu())
        mixed = self.dropout(self.mix(tokens * mask[..., None], mask))
        added: Tensor = self.leave(mixed)
        return added

    def _heard(self, batch: Mapping[str, Tensor], name: str) -> Tensor:
        """Return (B, U, width): the mean over the networks that were asked."""
        values = batch[name].flatten(3)
        asked = batch[f"{name}.mask"].to(values.dtype)[..., None]
        return (values * asked).sum(2) / asked.sum(2).clamp(min=1)

    def _aligned(self, batch: Mapping[str, Tensor], number: int) -> Tensor:
        """Return (B, U, C): embeddings in the common basis, the mean over networks."""
        name = self.embedded[number]
        values = batch[name].flatten(3) - self.get_buffer(f"means{number}")
        moved = torch.einsum("bukd,kdc->bukc", values, self.get_buffer(f"bases{number}"))
        asked = batch[f"{name}.mask"].to(moved.dtype)[..., None]
        return (moved * asked).sum(2) / asked.sum(2).clamp(min=1)

    def _places(self, batch: Mapping[str, Tensor], mask: Tensor) -> Tensor:
        """Return (B, U, 3) where slices stand: shares of the scan, and height."""
        own = mask.float()
        before, count = own.cumsum(1) - own, own.sum(1, keepdim=True).clamp(min=1)
        share = before / count
        height = batch[f"{self.answered[0]}.offsets"][..., 0].float() / FAR_MM
        return torch.stack([share, 1 - share, height], -1) * own[..., None]

    def learn_bases(self, embeddings: Mapping[str, Tensor]) -> dict[str, list[float]]:
        """Set the maps that bring embeddings of several networks into one basis; no labels.

        Args:
            embeddings: {input: (n, K, D)} of slices that no network of this fold is tested on.

        Returns:
            {input: K shares of the variance of the first network's components that each explains}.
        """
        told = {}
        for number, name in enumerate(self.embedded):
            means, bases, explained = common_bases(
                embeddings[name], components=self.components, ridge=self.ridge
            )
            self.get_buffer(f"means{number}").copy_(means)
            self.get_buffer(f"bases{number}").copy_(bases)
            told[name] = explained
        return told


def common_bases(
    embeddings: Tensor, *, components: int, ridge: float
) -> tuple[Tensor, Tensor, list[float]]:
    """Return maps of several networks' embeddings into the first one's principal components.

    Each network's map is the ridge regression of the standardised components of the first on its
    own embeddings of the same slices.

    Args:
        embeddings: (n, K, D).
        components: C; where the first network has fewer, the rest stay 0.
        ridge: penalty as a share of the mean variance of a network's embedding.

    Returns:
        (K, D) means, (K, D, C) maps, and for each network the share of variance explained.
    """
    values = embeddings.double()
    means = values.mean(0)
    centred = values - means
    count = max(len(values) - 1, 1)
    _, spread, axes = torch.linalg.svd(centred[:, 0], full_matrices=False)
    deviation = spread / count**0.5
    kept = int((deviation[:components] > 1e-6 * deviation[:1]).sum())
    wanted = centred[:, 0] @ axes[:kept].T / deviation[:kept].clamp(min=1e-12)
    bases = values.new_zeros((*means.shape, components))
    explained = []
    for number in range(values.shape[1]):
        own = centred[:, number]
        square = own.T @ own / count
        penalty = ridge * square.diagonal().mean().clamp(min=1e-12)
        eye = torch.eye(len(square), dtype=square.dtype, device=square.device)
        bases[number, :, :kept] = torch.linalg.solve(square + penalty * eye, own.T @ wanted / count)
        left = (wanted - own @ bases[number, :, :kept]).square().sum()
        explained.append(float(1 - left / wanted.square().sum().clamp(min=1e-12)))
    return means.float(), bases.float(), explained


class _Lstm(nn.Module):
    """Both ways along each scan; slices that are not there are never read."""

    def __init__(self, spec: "Spec") -> None:
        super().__init__()
        half = spec.width // 2
        self.lstm = nn.LSTM(spec.width, half, spec.layers, batch_first=True, bidirectional=True)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return (B, U, width)."""
        lengths = mask.sum(1).clamp(min=1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(
            tokens, lengths, batch_first=True, enforce_sorted=False
        )
        mixed, _ = self.lstm(packed)
        found, _ = nn.utils.rnn.pad_packed_sequence(
            mixed, batch_first=True, total_length=tokens.shape[1]
        )
        return tokens + found


class _Transformer(nn.Module):
    """Blocks of attention over the slices of a scan."""

    def __init__(self, spec: "Spec") -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            TokenMixer(spec.width, heads=spec.attention_heads, hidden=2 * spec.width)
            for _ in range(spec.layers)
        )

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return (B, U, width)."""
        for block in self.blocks:
            tokens = block(tokens, mask)
        return tokens
