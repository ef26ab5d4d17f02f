"""Running statistics of batch norms, when the batches of a step are shared by several processes.

Each batch moves them by a factor, one after the other. Each process sees some of the batches in a
row, so that what it did to them is again a factor and an addend; put one after the other, in the
order of the processes, they give what one process would have come to.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from overread.learning.device import Device

__all__ = ["joined_statistics"]


@contextmanager
def joined_statistics(network: nn.Module, device: Device, *, idle: bool) -> Iterator[None]:
    """Let the running statistics be, after the block, what all processes made of them.

    Args:
        network: in the mode of the step.
        device: the line to the others; nothing is done where there are none.
        idle: whether this process only keeps the others company.

    Raises:
        ValueError: if a norm takes the plain mean of all batches (`momentum=None`).
    """
    norms = [] if device.group.size == 1 else _norms(network)
    if not norms:
        yield
        return
    before = [torch.cat([norm.running_mean, norm.running_var]) for norm in norms]
    seen = [int(norm.num_batches_tracked) for norm in norms]
    yield
    keeps, added = [], []
    for norm, values, count in zip(norms, before, seen, strict=True):
        keep = 1.0 if idle else (1.0 - norm.momentum) ** (int(norm.num_batches_tracked) - count)
        after = values if idle else torch.cat([norm.running_mean, norm.running_var])
        keeps.append(keep)
        added.append(after - keep * values)
    batches = [
        0 if idle else int(n.num_batches_tracked) - c for n, c in zip(norms, seen, strict=True)
    ]
    told = device.gather(
        torch.cat([torch.tensor([*keeps, *batches], device=device.device), *added])
    )
    _put(norms, before, seen, told)


def _norms(network: nn.Module) -> list[Any]:
    norms = [
        module
        for module in network.modules()
        if isinstance(module, _BatchNorm) and module.training and module.running_mean is not None
    ]
    if any(norm.momentum is None for norm in norms):
        raise ValueError(
            "a batch norm with momentum=None cannot be trained by several processes; give it a "
            "momentum, or set devices: 1 and nodes: 1"
        )
    return norms


@torch.no_grad()
def _put(norms: list[Any], before: list[Tensor], seen: list[int], told: Tensor) -> None:
    """Chain what the processes did; `told` (processes, 2 x norms + statistics)."""
    keeps, batches = told[:, : len(norms)], told[:, len(norms) : 2 * len(norms)]
    start = 2 * len(norms)
    for number, (norm, values, count) in enumerate(zip(norms, before, seen, strict=True)):
        joined = values
        for keep, added in zip(keeps[:, number], told[:, start : start + len(values)], strict=True):
            joined = keep * joined + added
        start += len(values)
        half = len(values) // 2
        norm.running_mean.copy_(joined[:half])
        norm.running_var.copy_(joined[half:])
        norm.num_batches_tracked.fill_(count + int(batches[:, number].sum()))
