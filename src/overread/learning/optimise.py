"""The optimiser, and the learning rate as a function of the step: a schedule has no state."""

import math

import torch
from torch import nn

from overread.learning.device import choose_device
from overread.learning.spec import FitSpec

__all__ = ["build_optimiser", "rate", "set_rate"]

ENCODER_WORDS = ("encoder", "encoders", "backbone")
ONE_CYCLE_START = 25.0
ONE_CYCLE_END = 1e4
ROUNDING = 1e-9  # epochs; a third of three epochs is one


def rate(spec: FitSpec, step: int, steps: int) -> float:
    """Return the share of `spec.lr` that holds in a step; between 0 and 1.

    one_cycle is PyTorch's OneCycleLR with cosine annealing (Smith 2018), without its cycling of
    momentum; restarts and steps are its CosineAnnealingWarmRestarts and StepLR, the first told
    parts of epochs.

    Args:
        spec: names the schedule.
        step: from 0.
        steps: in all.
    """
    if spec.schedule in ("restarts", "steps"):
        return _cycled(spec, step * spec.epochs / steps)
    last = max(1, steps - 1)
    rising = spec.warmup * steps - 1 if spec.schedule == "one_cycle" else spec.warmup * steps
    if spec.schedule == "one_cycle":
        low, lowest = 1 / ONE_CYCLE_START, 1 / (ONE_CYCLE_START * ONE_CYCLE_END)
        if step <= rising:
            return _cosine(low, 1.0, step / rising if rising > 0 else 1.0)
        return _cosine(1.0, lowest, (step - max(rising, 0)) / max(1e-9, last - max(rising, 0)))
    if step < rising:
        return (step + 1) / (math.floor(rising) + 1)
    if spec.schedule == "constant":
        return 1.0
    return _cosine(1.0, 0.0, (step - rising) / max(1e-9, steps - rising))


def _cycled(spec: FitSpec, epoch: float) -> float:
    """Return the share of the rate at a moment; a cycle's warm-up counts into its length."""
    start, length, top = 0.0, spec.cycle, 1.0
    while epoch >= start + length - ROUNDING:
        start, top = start + length, top * spec.cycle_decay
        rest = length - spec.cycle_warmup
        length = spec.cycle_warmup + rest * spec.cycle_growth
    if spec.schedule == "steps":
        return top
    since = epoch - start
    if since < spec.cycle_warmup:
        return spec.lowest + (top - spec.lowest) * since / spec.cycle_warmup
    falling = (since - spec.cycle_warmup) / (length - spec.cycle_warmup)
    return _cosine(top, spec.lowest, falling)


def build_optimiser(network: nn.Module, spec: FitSpec) -> torch.optim.AdamW:
    """Return AdamW; biases, norms and exponents do not decay, encoders have their own rate.

    On a CPU all of a weight's step is taken in one pass over it.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            key = (is_encoder(name), weight.ndim > 1)
            groups.setdefault(key, []).append(weight)
    return torch.optim.AdamW(
        [
            {
                "params": groups[encoder, decays],
                "weight_decay": spec.weight_decay if decays else 0.0,
                "scale": spec.encoder_lr if encoder else 1.0,
            }
            for encoder, decays in sorted(groups)
        ],
        lr=spec.lr,
        betas=spec.betas,
        eps=spec.eps,
        fused=True if choose_device(spec.device).type == "cpu" else None,
    )


def set_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all groups, each with its factor."""
    for group in optimiser.param_groups:
        group["lr"] = lr * group["scale"]


def is_encoder(name: str) -> bool:
    """Return whether a weight of this name belongs to an encoder."""
    return any(word in ENCODER_WORDS for word in name.split("."))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * min(max(share, 0.0), 1.0)))
