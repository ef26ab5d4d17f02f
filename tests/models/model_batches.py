"""Random batches for networks of several views."""

from collections.abc import Mapping

import torch
from torch import Tensor

from overread.models import ViewShape

VIEWS = {"sagittal": ViewShape(3, 1, 32, 32), "axial": ViewShape(2, 1, 32, 32)}
HEADS = {"narrow": 3, "present": 2}


def random_batch(
    views: Mapping[str, ViewShape] = VIEWS, size: int = 3, seed: int = 0
) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    batch: dict[str, Tensor] = {}
    for name, view in views.items():
        shape = (size, view.slices, view.channels, view.height, view.width)
        batch[name] = torch.randn(shape, generator=generator)
        batch[f"{name}.mask"] = torch.ones(size, view.slices, dtype=torch.bool)
        batch[f"{name}.offsets"] = torch.randn(size, view.slices, generator=generator) * 20
    return batch
