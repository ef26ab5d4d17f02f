"""Images that occur more than once in a batch: found, so that they are encoded once.

Slots that repeat a slice, as published systems fill them, cost nothing with it. Networks are not
known here.
"""

import torch
from torch import Tensor

__all__ = ["without_repetitions"]

# An odd number of 63 bits whose multiples differ in all bits (Fibonacci hashing).
STEP = 0x1E3779B97F4A7C15


def without_repetitions(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return images without exact repetitions, and where each given one stands among them.

    Args:
        images: (N, ...) floats.

    Returns:
        (M, ...) in the order of their first occurrence, and (N,) numbers below M.

    Example:
        >>> some = torch.tensor([[1.0], [2.0], [1.0]])
        >>> [part.flatten().tolist() for part in without_repetitions(some)]
        [[1.0, 2.0], [0, 1, 0]]
    """
    count = len(images)
    everyone = torch.arange(count, device=images.device)
    if count < 2:
        return images, everyone
    bits = images.float().flatten(1).contiguous().view(torch.int32).long()
    factors = torch.arange(1, bits.shape[1] + 1, device=images.device) * STEP
    prints, group = torch.unique((bits * factors).sum(1), return_inverse=True)  # wraps on purpose
    if len(prints) == count:
        return images, everyone
    first = everyone.new_full((len(prints),), count).scatter_reduce(0, group, everyone, "amin")
    order = first.argsort()
    where = torch.empty_like(order).scatter(0, order, everyone[: len(order)])[group]
    unique = images[first[order]]
    if not torch.equal(unique[where], images):  # two images with one print: as good as never
        return images, everyone
    return unique, where
