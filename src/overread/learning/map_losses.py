"""Losses of heat maps and of the points they mean.

Legend: B images, K points, h and w cells.
"""

import torch
from torch import Tensor

__all__ = ["coordinate_loss", "map_focal_loss", "map_mse_loss", "soft_argmax"]


def map_focal_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: float = 0.25,
    gamma: float = 2.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Return torchvision's sigmoid focal loss with soft targets, the mean over all cells.

    BCE(x, t) (1 - p_t)^gamma (alpha t + (1 - alpha)(1 - t)) with p_t = p t + (1 - p)(1 - t)
    (Lin et al. 2017); the published key-point networks use it.

    Args:
        logits: (B, K, h, w).
        targets: the same, 0 to 1.
        alpha: weight of what is there against what is not; below 0 = no such weight.
        gamma: how much easy cells are neglected.
        weights: of cells, broadcast to the maps; cells of weight 0 leave the mean.
    """
    logits = logits.float()
    chance = logits.sigmoid()
    right = chance * targets + (1 - chance) * (1 - targets)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, targets, reduction="none"
    )
    cells = entropy * (1 - right) ** gamma
    if alpha >= 0:
        cells = cells * (alpha * targets + (1 - alpha) * (1 - targets))
    return _mean(cells, weights)


def map_mse_loss(logits: Tensor, targets: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Return the mean squared difference between sigmoid(logits) and targets (B, K, h, w)."""
    return _mean((logits.float().sigmoid() - targets).square(), weights)


def soft_argmax(logits: Tensor) -> Tensor:
    """Return the mean cell (B, K, 2), column and row, under the softmax of each map (B, K, h, w).

    Cell centres have whole numbers: the first cell is (0, 0).
    """
    height, width = logits.shape[-2:]
    chance = logits.float().flatten(-2).softmax(-1).reshape(logits.shape)
    columns = torch.arange(width, device=logits.device, dtype=torch.float32)
    rows = torch.arange(height, device=logits.device, dtype=torch.float32)
    x = (chance.sum(-2) * columns).sum(-1)
    y = (chance.sum(-1) * rows).sum(-1)
    return torch.stack([x, y], -1)


def coordinate_loss(logits: Tensor, points: Tensor, known: Tensor) -> Tensor:
    """Return the mean squared error of the soft arg-max, in shares of the longer side.

    Args:
        logits: (B, K, h, w).
        points: (B, K, 2) cells, column and row.
        known: (B, K) which points count; none gives 0.
    """
    side = max(logits.shape[-2:])
    errors = ((soft_argmax(logits) - points.nan_to_num()) / side).square().sum(-1)
    return _mean(errors, known.to(errors.dtype))


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return values.mean()
    weights = weights.to(values.dtype).expand_as(values)
    total = weights.sum()
    return (values * weights).sum() / torch.where(total > 0, total, 1)
