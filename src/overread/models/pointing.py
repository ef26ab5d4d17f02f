"""What a `SliceGraph` is given: each image once, and slots that point at images.

Plain arrays, for engines that run without torch. Networks and files are not known here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["point_at_images"]

Arrays = Mapping[str, NDArray[Any]]


def point_at_images(batch: Arrays, groups: Sequence[Sequence[str]]) -> dict[str, NDArray[Any]]:
    """Return the inputs of a `SliceGraph` for a batch of the network.

    Args:
        batch: for each view its pixels (B, S, C, H, W), "{view}.mask" and "{view}.offsets" (B, S).
        groups: views whose images are encoded together.

    Returns:
        "images.{number of the group}" (N, C, H, W), each present image once, one of zeros where
        there is none; "{view}.where" (B, S) numbers of images, 0 where missing; mask and offsets.
    """
    found: dict[str, NDArray[Any]] = {}
    for number, views in enumerate(groups):
        masks = [batch[f"{view}.mask"].astype(np.bool_) for view in views]
        shown = [batch[view][mask] for view, mask in zip(views, masks, strict=True)]
        found[f"images.{number}"], where = _once(np.concatenate(shown))
        first = 0
        for view, mask in zip(views, masks, strict=True):
            count = int(mask.sum())
            places = np.zeros(mask.shape, np.int64)
            places[mask] = where[first : first + count]
            first += count
            found[f"{view}.where"] = places
            found[f"{view}.mask"] = mask
            found[f"{view}.offsets"] = batch[f"{view}.offsets"].astype(np.float32)
    return found


def _once(images: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return images without repetitions, in order of first occurrence, and where each stands."""
    if not len(images):
        return np.zeros((1, *images.shape[1:]), images.dtype), np.zeros(0, np.int64)
    known: dict[bytes, int] = {}
    where = np.array([known.setdefault(one.tobytes(), len(known)) for one in images], np.int64)
    _, first = np.unique(where, return_index=True)
    return images[first], where
