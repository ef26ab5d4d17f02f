"""Mixup: batches whose samples are blends of two, labels and all (Zhang et al. 2018)."""

import torch
from torch import Tensor

from overread.learning.examples import Batch

__all__ = ["blend", "mixup"]


def mixup(batch: Batch, *, probability: float, alpha: float, generator: torch.Generator) -> Batch:
    """Blend each sample with another of the batch, in a share of batches.

    Args:
        batch: views (B, S, C, H, W) with "{view}.mask" and "{view}.offsets", "target.{name}",
            "weight.{name}", "slice_target.{name}", "slice_weight.{name}", "site".
        probability: that this batch is blended.
        alpha: shares come from Beta(alpha, alpha).
        generator: decides.

    Returns:
        The blended batch; "site" is joined by "site.partner" and "site.share".
    """
    if torch.rand((), generator=generator) >= probability:
        return batch
    size = next(iter(batch.values())).shape[0]
    return blend(
        batch,
        partner=torch.randperm(size, generator=generator),
        share=_beta(size, alpha, generator),
    )


def blend(batch: Batch, *, partner: Tensor, share: Tensor) -> Batch:
    """Return share * batch + (1 - share) * batch[partner], with labels that still sum to 1.

    A slice that one of the two lacks counts as zeros there and is present in the blend. A label
    that one of the two lacks is the other's, with its share of the weight.

    Args:
        batch: see `mixup`.
        partner: (B,) whom each sample is blended with.
        share: (B,) of the sample itself; 1 leaves it as it is.
    """
    mixed: Batch = {}
    for name, value in batch.items():
        other = value[partner]
        if name.endswith(".mask"):
            mixed[name] = value & _over(share > 0, value) | other & _over(share < 1, value)
        elif name.endswith(".offsets"):
            mixed[name] = _blend_offsets(batch, name, partner, share)
        elif name.startswith(("target.", "slice_target.")):
            mixed[name] = _blend_labels(batch, name, partner, share)
        elif value.is_floating_point():
            mixed[name] = torch.lerp(other, value, _over(share, value).to(value.dtype))
        else:
            mixed[name] = value
    if "site" in batch:
        mixed |= {"site.partner": batch["site"][partner], "site.share": share}
    return mixed


def _blend_labels(batch: Batch, name: str, partner: Tensor, share: Tensor) -> Tensor:
    labels = batch[name].nan_to_num()
    weight = batch.get(name.replace("target.", "weight.", 1))
    weight = torch.ones(labels.shape[:-1]) if weight is None else weight
    own = (weight * _over(share, weight)).unsqueeze(-1)
    others = (weight[partner] * _over(1 - share, weight)).unsqueeze(-1)
    total = own + others
    blended = (own * labels + others * labels[partner]) / torch.where(total > 0, total, 1)
    return torch.where(total > 0, blended, labels)


def _blend_offsets(batch: Batch, name: str, partner: Tensor, share: Tensor) -> Tensor:
    offsets = batch[name].nan_to_num()
    mask = batch[name.removesuffix("offsets") + "mask"].to(offsets.dtype)
    own = mask * _over(share, mask)
    others = mask[partner] * _over(1 - share, mask)
    total = own + others
    blended = (own * offsets + others * offsets[partner]) / torch.where(total > 0, total, 1)
    return torch.where(total > 0, blended, offsets)


def _over(share: Tensor, value: Tensor) -> Tensor:
    return share.reshape(-1, *[1] * (value.ndim - 1))


def _beta(size: int, alpha: float, generator: torch.Generator) -> Tensor:
    """Draw from Beta(alpha, alpha); torch's own sampler takes no generator."""
    if alpha == 1:
        return torch.rand(size, generator=generator)
    ones = torch.full((2, size), alpha)
    gammas = torch._standard_gamma(ones, generator=generator)  # noqa: SLF001
    return gammas[0] / gammas.sum(0).clamp(min=1e-12)
