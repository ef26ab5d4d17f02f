"""The network of `view_encoders`: encoders of views and of their stack, what is told of the level.

Legend: N units, S slices, D channels, B studies, U units of a study.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from overread.models.blocks import AveragePool
from overread.models.encoder import build_encoder
from overread.models.shapes import StudyUnits, ViewShape
from overread.models.studies import read_studies, spread, unit_rows

if TYPE_CHECKING:
    from overread.models.encoder_spec import EncoderSpec
    from overread.models.view_encoders import Spec

__all__ = ["OwnNetworks", "Recurrent", "ViewEncoders", "view_network"]

STACK = "stack"


class ImageEncoder(nn.Module):
    """Images to vectors: an encoder, the mean of its map, a linear layer."""

    def __init__(self, spec: "EncoderSpec", channels: int, width: int) -> None:
        super().__init__()
        self.encoder = build_encoder(spec, channels=channels)
        self.pool = AveragePool()
        self.linear = nn.Linear(self.encoder.dim, width)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, width) from (N, channels, H, W)."""
        vectors: Tensor = self.linear(self.pool(self.encoder(images)))
        return vectors


class ViewEncoder(nn.Module):
    """A view as one image or several; the vectors of several are joined by a linear layer."""

    def __init__(self, encoder: ImageEncoder, images: int, width: int) -> None:
        super().__init__()
        self.encoder, self.images = encoder, images
        self.join = nn.Linear(images * width, width) if images > 1 else None

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (N, width) from (N, S, C, H, W)."""
        units, size = len(pixels), pixels.shape[-2:]
        channels = pixels.shape[1] * pixels.shape[2] // self.images
        images = pixels.reshape(units * self.images, channels, *size)
        vectors: Tensor = self.encoder(images).reshape(units, -1)
        if self.join is not None:
            vectors = self.join(vectors.relu())
        return vectors


class SiteCode(nn.Module):
    """What a head is told of the site: its number as one of `levels`, or a learnt vector."""

    def __init__(self, spec: "Spec") -> None:
        super().__init__()
        self.levels = spec.levels
        self.table = nn.Embedding(spec.levels, spec.width) if spec.code == "embedding" else None
        self.dim = spec.width if spec.code == "embedding" else spec.levels

    def forward(self, site: Tensor) -> Tensor:
        """Return (N, D) from (N,)."""
        if self.table is not None:
            vectors: Tensor = self.table(site)
            return vectors
        return nn.functional.one_hot(site, self.levels).float()


class ViewEncoders(nn.Module):
    """Vectors of a unit, and a head for each target that reads them; see `view_encoders.build`."""

    def __init__(
        self, spec: "Spec", inputs: Mapping[str, ViewShape], heads: Mapping[str, int]
    ) -> None:
        super().__init__()
        self.views, self.targets = tuple(inputs), tuple(heads)
        self.encoders = nn.ModuleDict({} if spec.parts == "stack" else _view_encoders(spec, inputs))
        self.stems = nn.ModuleDict(
            {_part(view): _stem(inputs[view], width) for view, width in spec.stems.items()}
        )
        if spec.parts != "views":
            channels = sum(
                spec.stems.get(view, one.slices * one.channels) for view, one in inputs.items()
            )
            self.encoders[STACK] = ImageEncoder(spec, channels, spec.width)
        coded = spec.code in ("one_hot", "embedding")
        self.code = SiteCode(spec) if coded else None
        told = self.code.dim if self.code is not None else 0
        self.read = {target: self._read(spec, target) for target in heads}
        self.dim = len(self.encoders) * spec.width + told
        self.heads = nn.ModuleList(
            _head(len(self.read[target]) * spec.width + told, spec, grades)
            for target, grades in heads.items()
        )

    def _read(self, spec: "Spec", target: str) -> tuple[str, ...]:
        wanted = {STACK, *map(_part, spec.reads.get(target, self.views))}
        return tuple(part for part in self.encoders if part in wanted)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return "logits.{target}" (N, grades).

        Args:
            batch: for each view its pixels (N, S, C, H, W) and "{view}.mask" (N, S), False =
                missing; "site" (N,) where a code tells it.
        """
        vectors, told = self.vectors(batch)
        return {
            f"logits.{target}": head(
                torch.cat([*(vectors[part] for part in self.read[target]), *told], 1)
            )
            for target, head in zip(self.targets, self.heads, strict=True)
        }

    def vectors(self, batch: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Return {part: (N, width)}, zeros where a view shows nothing, and the code of the site."""
        masks = {view: batch[f"{view}.mask"] for view in self.views}
        images = {
            view: batch[view] * mask[..., None, None, None].to(batch[view].dtype)
            for view, mask in masks.items()
        }
        found = {
            _part(view): self.encoders[_part(view)](images[view]) * mask.any(1, keepdim=True)
            for view, mask in masks.items()
            if _part(view) in self.encoders
        }
        if STACK in self.encoders:
            flat = {_part(view): image.flatten(1, 2) for view, image in images.items()}
            parts = [self.stems[name](x) if name in self.stems else x for name, x in flat.items()]
            found[STACK] = self.encoders[STACK](torch.cat(parts, 1))
        return found, [] if self.code is None else [self.code(batch["site"])]


class OwnNetworks(nn.Module):
    """Networks of their own for each site; a unit is asked of that of its site."""

    def __init__(self, networks: list[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what they say, in the order of the units."""
        site = batch["site"]
        places = [torch.nonzero(site == number)[:, 0] for number in range(len(self.networks))]
        asked = [number for number, place in enumerate(places) if len(place)]
        answers = [
            self.networks[number]({key: value[places[number]] for key, value in batch.items()})
            for number in asked
        ]
        back = torch.cat([places[number] for number in asked]).argsort()
        return {name: torch.cat([answer[name] for answer in answers])[back] for name in answers[0]}


class Recurrent(nn.Module):
    """Two bidirectional LSTM layers over the units of a study, between vectors and heads."""

    def __init__(self, network: ViewEncoders, spec: "Spec", heads: Mapping[str, int]) -> None:
        super().__init__()
        network.heads = nn.ModuleList()
        self.network = network
        self.lstm = nn.LSTM(
            network.dim, spec.recurrent, num_layers=2, bidirectional=True, batch_first=True
        )
        self.targets = tuple(heads)
        self.heads = nn.ModuleList(
            _head(2 * spec.recurrent, spec, grades) for grades in heads.values()
        )

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return "logits.{target}" (B, U, grades); units stand first, padding behind them."""
        mask = batch["units.mask"].bool()
        vectors, told = self.network.vectors(unit_rows(batch, self.network.views))
        rows = torch.cat([*vectors.values(), *told], 1).float()
        packed = nn.utils.rnn.pack_padded_sequence(
            spread(rows, mask), mask.sum(1).cpu(), batch_first=True, enforce_sorted=False
        )
        read, _ = nn.utils.rnn.pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=mask.shape[1]
        )
        return {
            f"logits.{target}": head(read)
            for target, head in zip(self.targets, self.heads, strict=True)
        }


def view_network(
    spec: "Spec",
    inputs: Mapping[str, ViewShape],
    heads: Mapping[str, int],
    units: StudyUnits | None,
) -> nn.Module:
    """Return the network, of units or of studies."""
    if spec.recurrent:
        return Recurrent(ViewEncoders(spec, inputs, heads), spec, heads)
    one = partial(_unit_network, spec, inputs)
    return read_studies(one, inputs, heads, units)


def _unit_network(
    spec: "Spec", inputs: Mapping[str, ViewShape], heads: Mapping[str, int]
) -> nn.Module:
    if spec.code != "own":
        return ViewEncoders(spec, inputs, heads)
    return OwnNetworks([ViewEncoders(spec, inputs, heads) for _ in range(spec.levels)])


def _view_encoders(spec: "Spec", inputs: Mapping[str, ViewShape]) -> dict[str, nn.Module]:
    first = {view: group[0] for group in spec.alike for view in group}
    shared: dict[str, ImageEncoder] = {}
    found: dict[str, nn.Module] = {}
    for view, shape in inputs.items():
        slices = spec.images or shape.slices
        owner = first.get(view, view)
        if owner not in shared:
            chosen = spec.encoders.get(owner, spec)
            shared[owner] = ImageEncoder(chosen, slices * shape.channels, spec.width)
        found[_part(view)] = ViewEncoder(shared[owner], shape.slices // slices, spec.width)
    return found


def _part(view: str) -> str:
    """Return what a view's encoder is called, which no method of a table of modules is."""
    return f"of_{view}"


def _stem(shape: ViewShape, width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(shape.slices * shape.channels, width, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
    )


def _head(inside: int, spec: "Spec", grades: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inside, spec.hidden),
        nn.GELU(),
        nn.Dropout(spec.dropout),
        nn.Linear(spec.hidden, grades),
    )
