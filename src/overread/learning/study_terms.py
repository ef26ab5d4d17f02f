"""Terms of grading losses about a study as a whole: does any of its units have the worst grade?

Source: the severe-aware loss of the RSNA 2024 lumbar spine "dual view" system, which is a smooth
estimate of the official score. Batches and rubrics are not known here.

Legend: B studies, U units, G grades.
"""

import torch
from torch import Tensor

__all__ = ["any_worst"]

NOWHERE = -1e4
EDGE = 1e-6  # chances of the event are kept this far from 0 and 1


def any_worst(
    logits: Tensor,
    labels: Tensor,
    known: Tensor,
    *,
    class_weights: Tensor,
    temperature: float,
) -> Tensor:
    """Return the weighted binary cross entropy of "some unit has the worst grade".

    Args:
        logits: (B, U, G).
        labels: (B, U, G), sum 1.
        known: (B, U); units of weight 0 count for nothing.
        class_weights: (G,); a study weighs as much as its heaviest unit.
        temperature: of the softmax that weighs the units' chances; 0 = the largest chance.

    Returns:
        A scalar; 0, with no gradient, without any label.
    """
    there = known > 0
    chance = logits.float().softmax(-1)[..., -1]
    event = torch.where(there, chance, 0.0)
    if temperature:
        scores = (chance / temperature).masked_fill(~there, NOWHERE)
        said = (scores.softmax(1) * event).sum(1)
    else:
        said = event.amax(1)
    said = said.clamp(EDGE, 1 - EDGE)
    true = (labels[..., -1] * there).amax(1)
    weight = ((labels * class_weights).sum(-1) * there).amax(1)
    losses = -(true * said.log() + (1 - true) * (1 - said).log())
    total = weight.sum()
    return (weight * losses).sum() / torch.where(total > 0, total, 1)
