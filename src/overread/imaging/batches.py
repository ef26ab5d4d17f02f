"""Crops of many units as arrays: collate, take the centre, mirror; and as tensors for torch.

A batch is {name: array or tensor}: for each view `view` (B, S, C, H, W), float16 as it is stored
and float32 as networks see it, `view.mask` (B, S) bool and `view.offsets` (B, S) float32 mm, and
`view.marks` (B, S, targets) where slices are labelled; other keys (targets, weights) pass through
untouched.
Slices and columns keep the canonical orientation of `cutting`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from overread.imaging.views import ViewSpec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Arrays", "Batch", "Crops", "centre", "collate", "mirror", "normalise", "tensors"]

Arrays = dict[str, NDArray[Any]]
Batch: TypeAlias = "dict[str, Tensor]"
Kept = TypeVar("Kept", NDArray[Any], "Tensor")


class Crops(Protocol):
    """What collate reads of one unit in one view; a `Cut` is one, and so are its stored arrays."""

    @property
    def pixels(self) -> NDArray[np.float16]:
        """(S, C, rows, columns), 0-1."""

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(S,)."""

    @property
    def offsets_mm(self) -> NDArray[np.float32]:
        """(S,)."""


def collate(cuts: Mapping[str, Sequence[Crops]]) -> Arrays:
    """Return a batch of stored crops as they are stored: with margins, float16, not normalised.

    Args:
        cuts: for each view the crops of the same units in the same order; memory maps are read
            here and nowhere else.

    Raises:
        ValueError: if views disagree about the number of units.
    """
    lengths = {view: len(units) for view, units in cuts.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"all views need the same units, found these numbers of them: {lengths}")
    batch: Arrays = {}
    for view, units in cuts.items():
        batch[view] = np.stack([unit.pixels for unit in units])
        batch[f"{view}.mask"] = np.stack([unit.mask for unit in units])
        batch[f"{view}.offsets"] = np.stack([unit.offsets_mm for unit in units]).astype(np.float32)
    return batch


def tensors(batch: Mapping[str, NDArray[Any]]) -> Batch:
    """Return a batch for torch, which shares the memory of the arrays."""
    import torch

    return {name: torch.from_numpy(value) for name, value in batch.items()}


def normalise(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map 0-1 to -1-1, what all networks get."""
    return pixels * np.float32(2) - np.float32(1)


def centre(batch: Arrays, views: Mapping[str, ViewSpec]) -> Arrays:
    """Return the batch for evaluation: the window of each crop that networks see, normalised."""
    result = dict(batch)
    for name, view in views.items():
        if name in batch:
            slots, rows, columns = view.window
            result[name] = normalise(batch[name][:, slots, :, rows, columns].astype(np.float32))
            result |= seen_slots(batch, name, view)
    return result


def seen_slots(batch: Mapping[str, Kept], name: str, view: ViewSpec) -> dict[str, Kept]:
    """Return what a batch says of the slots of a view, for those slots that networks see."""
    slots = view.window[0]
    keys = [f"{name}.mask", f"{name}.offsets", f"{name}.marks"]
    return {key: batch[key][:, slots] for key in keys if key in batch}


def mirror(batch: Arrays, views: Mapping[str, ViewSpec]) -> Arrays:
    """Return the batch of the patients' mirror images; targets are the caller's to swap.

    Sagittal slices are read backwards and change sides; axial, coronal and photographic images
    are turned about the vertical. Works before and after `centre` and `augment`, bit for bit; views
    of one side can only be mirrored before, while the other side is there.
    """
    result = dict(batch)
    for name, view in views.items():
        if name not in batch:
            continue
        if view.one_side is not None and batch[name].shape[-1] != view.stored[1]:
            raise ValueError(f"view {name} shows one side: mirror its batch before it is centred")
        if view.plane == "sagittal":
            result[name] = _reversed(batch[name], 1)
            result[f"{name}.mask"] = _reversed(batch[f"{name}.mask"], 1)
            result[f"{name}.offsets"] = -_reversed(batch[f"{name}.offsets"], 1)
            if f"{name}.marks" in batch:
                result[f"{name}.marks"] = _reversed(batch[f"{name}.marks"], 1)
        else:
            result[name] = _reversed(batch[name], -1)
    return result


def _reversed(values: NDArray[Any], axis: int) -> NDArray[Any]:
    return np.ascontiguousarray(np.flip(values, axis))
