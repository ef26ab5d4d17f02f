"""Terms of grading losses for classes that are rare or close: focal, soft F1, angular margin.

They work on logits and soft labels of one target; batches and rubrics are not known here.

Legend: B units, G grades.
"""

import math

import torch
from torch import Tensor

__all__ = ["focal_rows", "soft_f1_loss", "with_margin"]

LEAST = 1e-7  # the published clamp
FLAT = 1e-6  # keeps the slope of the root finite where a cosine is 1


def focal_rows(logits: Tensor, weighted: Tensor, *, gamma: float) -> Tensor:
    """Return the focal loss (B,) of each row: sum of -w_g (1 - p_g)^gamma ln p_g.

    Source: Lin et al. 2017, for softmax as the published mask-status system computes it.

    Args:
        logits: (..., G).
        weighted: (..., G), labels times class weights.
        gamma: how much easy rows are neglected; 0 gives the cross entropy.
    """
    log_p = logits.float().log_softmax(-1)
    return -(weighted * (1 - log_p.exp()) ** gamma * log_p).sum(-1)


def soft_f1_loss(logits: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Return 1 - mean over grades of 2PR / (P + R), of soft counts in the batch.

    A probability counts as that share of a prediction. Grades that no row has count as they do in
    the published loss: with F1 near 0 and hardly a gradient. Without any label the loss is 0.

    Args:
        logits: (B, G).
        labels: (B, G), sum 1; zeros where missing.
        weight: (B,) of the rows; 0 where missing.
    """
    said = logits.float().softmax(-1) * weight[:, None]
    true = labels * weight[:, None]
    right = (said * labels).sum(0)
    precision = right / (said.sum(0) + LEAST)
    recall = right / (true.sum(0) + LEAST)
    f1 = 2 * precision * recall / (precision + recall + LEAST)
    loss = 1 - f1.clamp(LEAST, 1 - LEAST).mean()
    return torch.where(weight.sum() > 0, loss, 0.0 * loss)


def with_margin(logits: Tensor, labels: Tensor, *, scale: Tensor, margin: float) -> Tensor:
    """Return logits in which the true grade must win by an angle (ArcFace).

    s cos(theta) of the true grade becomes s cos(theta + m), or, where the angle would pass pi,
    s (cos(theta) - m sin(m)), as the authors' code does. Soft labels move it by their share.
    Source: Deng et al. 2019, https://arxiv.org/abs/1801.07698.

    Args:
        logits: (B, G), scale times cosines.
        labels: (B, G), sum 1; zeros leave the logits alone.
        scale: (B,) of the network's cosine heads.
        margin: m, in radians.
    """
    cosine = (logits.float() / scale[:, None]).clamp(-1, 1)
    sine = (1 - cosine.square()).clamp(min=FLAT).sqrt()
    moved = cosine * math.cos(margin) - sine * math.sin(margin)
    beyond = cosine - margin * math.sin(margin)
    moved = torch.where(cosine > -math.cos(margin), moved, beyond)
    return scale[:, None] * (cosine + labels * (moved - cosine))
