"""A problem that a small network learns in a second: three grades, told by brightness."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from overread.learning import FitSpec, LossSpec, fit, grading_loss
from overread.models import ViewShape, slice_attention
from overread.models.slice_network import SliceAttention
from overread.records import Rubric, Target

RUBRIC = Rubric("toy", "study", (Target("grade", ("low", "mid", "high"), (1.0, 2.0, 4.0)),))
VIEW = ViewShape(slices=2, channels=1, height=32, width=32)


@dataclass(frozen=True)
class ToyExamples:
    """Noisy slices whose brightness is the grade; training adds more noise."""

    count: int = 22

    def __len__(self) -> int:
        return self.count

    def batch(
        self, indices: Sequence[int], *, generator: torch.Generator | None
    ) -> dict[str, Tensor]:
        rows = list(indices)
        noise = torch.Generator().manual_seed(5)
        pixels = torch.randn(self.count, 2, 1, 32, 32, generator=noise) * 0.3
        grade = torch.arange(self.count) % 3
        pixels = (pixels + grade.reshape(-1, 1, 1, 1, 1))[rows]
        if generator is not None:
            pixels = pixels + torch.randn(pixels.shape, generator=generator) * 0.1
        return {
            "near": pixels,
            "near.mask": torch.ones(len(rows), 2, dtype=torch.bool),
            "near.offsets": torch.zeros(len(rows), 2),
            "target.grade": torch.eye(3)[grade[rows]],
            "weight.grade": torch.ones(len(rows)),
            "site": grade[rows],
        }


def toy_network(seed: int = 0) -> SliceAttention:
    spec = slice_attention.Spec(backbone="tiny_conv", hidden=32, levels=3)
    return slice_attention.build(spec, inputs={"near": VIEW}, heads={"grade": 3}, seed=seed)


def toy_fit(folder: Path, **settings: object) -> SliceAttention:
    network = toy_network()
    chosen = {"epochs": 4, "batch": 4, "lr": 3e-3, "device": "cpu"} | settings
    fit(
        network,
        ToyExamples(),
        FitSpec.model_validate(chosen),
        loss=grading_loss(LossSpec(level=0.1), RUBRIC),
        seed=1,
        folder=folder,
        validation=ToyExamples(9),
    )
    return network
