"""Where a network runs and in which precision; Lightning Fabric is known here only.

Fabric takes seconds to import, so it is imported when a fit begins.
"""

import logging
from typing import Any

import torch
from torch import Tensor, nn

from overread.learning.examples import Batch
from overread.learning.spec import FitSpec

__all__ = ["Device", "choose_device", "to_device"]

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(wanted: str) -> torch.device:
    """Return the device that "auto", "cpu", "cuda" or "cuda:1" means here."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wanted)


def to_device(batch: Batch, device: torch.device, *, channels_last: bool = False) -> Batch:
    """Return the batch on the device; images (B, C, H, W) in channels-last order where asked."""
    moved = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
    if not channels_last:
        return moved
    return {
        name: value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value
        for name, value in moved.items()
    }


class Device:
    """One device with Fabric's precision, backward pass and clipping.

    Attributes:
        device: the torch device.
        network: the network as it is called: moved, in its precision, compiled where asked.
        optimiser: as it is stepped.
    """

    def __init__(self, spec: FitSpec, network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        from lightning_fabric import Fabric

        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it greets on stderr
        place = choose_device(spec.device)
        if spec.precision == "fp16" and place.type == "cpu":
            raise ValueError(
                "precision fp16 needs a GPU; found device cpu: choose precision bf16 or fp32"
            )
        self.fabric: Any = Fabric(
            accelerator="cuda" if place.type == "cuda" else "cpu",
            devices=[place.index or 0] if place.type == "cuda" else 1,
            precision=PRECISIONS[spec.precision],
        )
        self.device: torch.device = self.fabric.device
        shown = torch.compile(network) if spec.compile else network
        self.network, self.optimiser = self.fabric.setup(shown, optimiser)
        self.clip = spec.clip

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of the loss."""
        self.fabric.backward(loss)

    def step(self) -> None:
        """Clip where asked, and step."""
        if self.clip is not None:
            self.fabric.clip_gradients(
                self.network, self.optimiser, max_norm=self.clip, error_if_nonfinite=False
            )
        self.optimiser.step()

    def scale(self) -> dict[str, Any]:
        """Return the state of fp16 loss scaling; empty in other precisions."""
        state: dict[str, Any] = self.fabric.strategy.precision.state_dict()
        return state

    def restore_scale(self, state: dict[str, Any]) -> None:
        """Put back what `scale` gave."""
        if state:
            self.fabric.strategy.precision.load_state_dict(state)
