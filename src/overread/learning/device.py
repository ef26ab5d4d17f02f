"""Where a network runs, with whom and in which precision; Lightning Fabric is known here only.

Fabric takes seconds to import, so it is imported when a fit begins.
"""

import logging
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from overread.learning.examples import Batch
from overread.learning.group import Group, current_group
from overread.learning.spec import FitSpec

__all__ = ["Device", "choose_device", "to_device"]

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
T = TypeVar("T")
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
    """One device with Fabric's precision, backward pass and clipping; the others' gradients too.

    Attributes:
        group: the processes that train the network, and which of them this one is.
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
        self.group = current_group()
        self.fabric: Any = Fabric(
            accelerator="cuda" if place.type == "cuda" else "cpu",
            devices=[_number(place, self.group)] if place.type == "cuda" else 1,
            precision=PRECISIONS[spec.precision],
            **_together(self.group),
        )
        if self.group.size > 1:
            self.fabric.launch()
        self.device: torch.device = self.fabric.device
        shown = torch.compile(network) if spec.compile else network
        self.network, self.optimiser = self.fabric.setup(shown, optimiser)
        self.clip = spec.clip

    def silent(self, *, wanted: bool) -> AbstractContextManager[None]:
        """Keep gradients to this process while a block lasts, where wanted."""
        quiet: AbstractContextManager[None] = self.fabric.no_backward_sync(
            self.network, enabled=wanted and self.group.size > 1
        )
        return quiet

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of the loss; outside `silent`, of the sum over all processes."""
        # With others, it takes the mean over processes.
        self.fabric.backward(loss * self.group.size if self.group.size > 1 else loss)

    def tell_all(self, value: T) -> T:
        """Return what the first process says; all must ask."""
        told: T = self.fabric.broadcast(value) if self.group.size > 1 else value
        return told

    def hear_all(self, value: T) -> list[T]:
        """Return what each process says, in their order; all must ask."""
        if self.group.size == 1:
            return [value]
        heard: list[Any] = [None] * self.group.size
        torch.distributed.all_gather_object(heard, value)
        return heard

    def gather(self, values: Tensor) -> Tensor:
        """Return the values (n,) of each process as (processes, n); all must ask."""
        gathered: Tensor = self.fabric.all_gather(values)
        return gathered.reshape(self.group.size, -1)

    def leave(self) -> None:
        """Close the line to the other processes."""
        if self.group.size > 1 and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

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


def _number(place: torch.device, group: Group) -> int:
    return (place.index or 0) + group.place


def _together(group: Group) -> dict[str, Any]:
    """Return how Fabric joins the processes of a group, each of which is a node to it."""
    if group.size == 1:
        return {}
    from lightning_fabric.plugins.environments import LightningEnvironment
    from lightning_fabric.strategies import DDPStrategy

    class Known(LightningEnvironment):  # type: ignore[misc]
        """Processes that were started by somebody else."""

        creates_processes_externally = True
        main_address = group.address
        main_port = group.port

        def node_rank(self) -> int:
            return group.rank

        def local_rank(self) -> int:
            return 0

    # A view may be missing from a batch and an encoder frozen: not every weight has a gradient.
    # Running statistics are joined by `joined_statistics`, not overwritten by the first process's.
    strategy = DDPStrategy(
        cluster_environment=Known(), find_unused_parameters=True, broadcast_buffers=False
    )
    return {"strategy": strategy, "num_nodes": group.size}
