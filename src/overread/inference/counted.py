"""Points that are counted from the first (lowest) upwards, of a chain of unknown length.

Four maps in place of one a point: any member's middle, its front end, its back end, and where the
first member is. Slices, networks and millimetres are not known here.

Legend: B images, M possible members, h and w cells.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from overread.imaging import (
    CountSpec,
    cells_to_pixels,
    count_chain,
    pixels_to_cells,
    render_heatmaps,
)
from overread.inference.decoding import PointSet
from overread.inference.locator import UPSIDE_DOWN
from overread.records import Keypoints, Planes

__all__ = ["counted_loss", "counted_points", "counted_targets", "turn_over"]

Floats = NDArray[np.float64]
# Cells this near to a true point count as hits in the focal loss.
HIT = 0.85


def counted_targets(
    planes: Planes, truth: Keypoints, names: tuple[str, ...]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return middles, fronts and backs on each input (n, 3 M, 2) px, and which there are (n, 3 M).

    Args:
        planes: (n) of the inputs.
        truth: with ends, or middles alone.
        names: (M,) of the members, the first (lowest) first.
    """
    count = len(planes)
    points = np.zeros((count, 3, len(names), 2), np.float32)
    present = np.zeros((count, 3, len(names)), np.bool_)
    for number, name in enumerate(names):
        if name not in truth.names:
            continue
        index = truth.names.index(name)
        ends = [] if truth.ends is None else list(truth.ends[index])
        for part, place in enumerate([truth.points[index], *ends]):
            spread = np.tile(place, (count, 1))
            points[:, part, number] = planes.to_pixels(np.arange(count), spread)[0]
            present[:, part, number] = True
    return points.reshape(count, -1, 2), present.reshape(count, -1)


def turn_over(batch: dict[str, Tensor], share: float, generator: torch.Generator) -> None:
    """Turn some images upside down and note it; their maps are not asked for."""
    count = len(batch["image"])
    over = torch.rand((count,), generator=generator) < share
    batch["image"] = torch.where(over[:, None, None, None], batch["image"].flip(-2), batch["image"])
    batch[UPSIDE_DOWN] = over


def counted_loss(
    logits: Tensor, batch: Mapping[str, Tensor], *, stride: int, radius: int, over: Tensor | None
) -> dict[str, Tensor]:
    """Return the loss of the maps, of the first member and of the orientation.

    Maps: the focal loss of CornerNet (Law and Deng 2018) and the squared error, per expected mass.
    First member: cross entropy over all cells. Orientation: binary cross entropy.

    Args:
        logits: (B, 4, h, w).
        batch: "points" (B, 3 M, 2) px and "present" (B, 3 M), and UPSIDE_DOWN (B,) where known.
        stride: px of the input per cell.
        radius: of the Gaussians, cells.
        over: (B, 2) logits of the orientation.
    """
    device = logits.device
    cells = _by_part(pixels_to_cells(batch["points"].to(device), stride))
    present = _by_part(batch["present"].to(device))
    shape = (logits.shape[-2], logits.shape[-1])
    each = render_heatmaps(cells, shape, radius=radius, valid=present)
    upright = torch.ones(len(logits), device=device)
    if UPSIDE_DOWN in batch:
        upright = 1 - batch[UPSIDE_DOWN].to(device).float()
    losses = {
        "maps": _share(_map_loss(logits[:, :3], each.amax(2)), upright),
        "first": _first_loss(logits[:, 3], each[:, 0, 0], upright),
    }
    total = losses["maps"] + 0.3 * losses["first"]
    if over is not None:
        answer = 1 - upright.long()
        losses["orientation"] = functional.cross_entropy(over.float(), answer)
        total = total + losses["orientation"]
    return {"total": total, **losses}


def _by_part(values: Tensor) -> Tensor:
    """(B, 3 M, ...) to (B, 3, M, ...)."""
    return values.reshape(len(values), 3, -1, *values.shape[2:])


def _map_loss(logits: Tensor, target: Tensor) -> Tensor:
    chance = logits.float().sigmoid().clamp(1e-4, 1 - 1e-4)
    hit = (target > HIT).float()
    near = hit * (1 - chance).square() * chance.log()
    far = (1 - hit) * (1 - target) ** 4 * chance.square() * (1 - chance).log()
    focal = -(near + far).sum((1, 2, 3)) / (hit.sum((1, 2, 3)) + 1)
    square = (chance - target).square().sum((1, 2, 3)) / (target.sum((1, 2, 3)) + 1)
    return focal + 2 * square


def _first_loss(logits: Tensor, target: Tensor, upright: Tensor) -> Tensor:
    mass = target.sum((1, 2))
    share = target / mass.clamp_min(1e-6)[:, None, None]
    entropy = -(share * logits.float().flatten(1).log_softmax(1).view_as(share)).sum((1, 2))
    return _share(entropy, upright * (mass > 5).float())


def _share(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp_min(1e-6)


def counted_points(
    planes: Planes, maps: Tensor, names: tuple[str, ...], spec: CountSpec, *, pixels: int
) -> tuple[PointSet, Floats] | None:
    """Return the members that the mean of some maps shows, and their ends (n, 2, 3) mm.

    The confidence of each is that of the naming, less where its own peak is low.

    Args:
        planes: (n) of the inputs; points are the mean of their places on all of them.
        maps: (n, 4, h, w) logits of the inputs.
        names: (M,) of the members.
        spec: of the chain.
        pixels: rows of the input.
    """
    mean = maps.float().mean(0)
    middle, front, back = mean[:3].sigmoid().double().numpy()
    first = mean[3].flatten().softmax(0).view_as(mean[3]).double().numpy()
    chain = count_chain(middle, front, back, first, spec)
    if chain is None:
        return None
    count = min(len(chain), len(names))
    stride = pixels // maps.shape[-2]
    cells = np.concatenate([chain.points[:count, None], chain.ends[:count]], axis=1)
    places = cells_to_pixels(cells.reshape(-1, 2), stride)
    world = np.mean(
        [planes.to_world(np.full(len(places), index), places) for index in range(len(planes))],
        axis=0,
    ).reshape(count, 3, 3)
    sure = chain.naming * np.minimum(1.0, chain.confidence[:count] / 0.5)
    return PointSet(names[:count], world[:, 0], sure), world[:, 1:]
