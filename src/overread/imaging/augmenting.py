"""Training images: crop, vary and normalise in one go, on the batch's device.

All slices of a sample and view share their geometry, samples and views differ. The same generator
state gives the same batch. Labels are not known here; mirroring, which swaps them, is elsewhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from overread.imaging.augment_spec import AugmentSpec
from overread.imaging.batches import Batch, seen_slots
from overread.imaging.blurs import Blurs, draw_blurs
from overread.imaging.tones import Holes, Tones, draw_holes, draw_tones
from overread.imaging.views import ViewSpec
from overread.imaging.warps import (
    Places,
    affine_matrices,
    chance,
    draw_places,
    identity_grid,
    moved,
)

__all__ = ["augment", "augment_image"]

# Numbers that a core keeps near it: 1 MiB of them.
CACHED = 1 << 18
# As many slices as are fetched at a time on a CPU: a fifth sooner than fifteen.
SLICES = 5
ZEROS: dict[str, Any] = {"padding_mode": "zeros", "align_corners": False}


def augment(
    batch: Batch,
    spec: AugmentSpec,
    *,
    views: Mapping[str, ViewSpec],
    generator: torch.Generator,
) -> Batch:
    """Return a varied batch: margins cropped away, pixels -1 to 1, missing slices black.

    Args:
        batch: of `collate`; other keys pass through.
        spec: how much.
        views: of the batch.
        generator: of all draws; on the CPU, or on the batch's device.
    """
    result = dict(batch)
    for name, view in sorted(views.items()):
        if name not in batch:
            continue
        result |= seen_slots(batch, name, view)
        result[name] = _varied(
            batch[name][:, view.window[0]], result[f"{name}.mask"], view, spec, generator
        )
        if spec.slice_shift:
            _shift_slices(result, name, spec.slice_shift, generator)
    return result


def _varied(
    stored: Tensor, mask: Tensor, view: ViewSpec, spec: AugmentSpec, generator: torch.Generator
) -> Tensor:
    """Return the varied windows of crops (B, S, C, rows, columns), normalised."""
    count, slots, channels = stored.shape[:3]
    size = view.pixels
    places = draw_places(count, spec, generator, ratio=size[0] / size[1])
    changes = _draw_changes((count, slots * channels, *size), spec, generator)
    result = stored.new_empty((count, slots, channels, *size), dtype=torch.float32)
    black = torch.tensor(-1.0, device=stored.device)
    for part in _parts(result):
        images = _fetched(stored[part], places, part, view)
        for change in changes:
            images = change.applied(images, part, own=True)
        target = result[part]
        torch.add(black, images.view_as(target), alpha=2, out=target)  # as `normalise`
        for sample, slot in (~mask[part]).nonzero().tolist():
            target[sample, slot] = -1
    return result


def _fetched(stored: Tensor, places: Places, part: slice, view: ViewSpec) -> Tensor:
    """Return the windows of some samples' crops as images (n, S * C, H, W) of their own.

    The margin fills what moves in. Where nothing moves, pixels are copied.
    """
    if places.still(part):
        _, rows, columns = view.window
        window = stored[..., rows, columns]
        return torch.empty(window.shape, device=stored.device).copy_(window).flatten(1, 2)
    scales = []
    for length, seen in zip(reversed(stored.shape[3:]), reversed(view.window[1:]), strict=True):
        size = seen.stop - seen.start
        scales.append([size / length, (2 * seen.start - (length - size)) / length])  # 0 = middle
    window = torch.tensor(scales, device=places.matrix.device)
    grid = places.grid(part, view.pixels, window).to(stored.device)
    crops = stored.flatten(1, 2)
    few = SLICES if crops.device.type == "cpu" else crops.shape[1]
    images = [
        functional.grid_sample(crops[:, first : first + few].float(), grid, **ZEROS)
        for first in range(0, crops.shape[1], few)
    ]
    return images[0] if len(images) == 1 else torch.cat(images, 1)


def _draw_changes(
    shape: tuple[int, int, int, int], spec: AugmentSpec, generator: torch.Generator
) -> list[Tones | Blurs | Holes]:
    """Draw what happens to the values of images (B, N, H, W), in the order of its happening."""
    drawn = [
        draw_tones(shape[0], spec, generator),
        draw_blurs(shape, spec, generator),
        draw_holes(shape[0], shape[2:], spec, generator),
    ]
    return [change for change in drawn if change is not None]


def _parts(images: Tensor) -> list[slice]:
    """Return which samples are worked on at a time.

    On a CPU a few: their images stay in the cache from step to step, and their memory is used
    again without asking the system for it. A GPU wants all of them.
    """
    count = len(images)
    size = count
    if images.device.type == "cpu" and count:
        size = max(1, CACHED // images[0].numel())
    return [slice(first, first + size) for first in range(0, count, size)]


def _shift_slices(batch: Batch, name: str, most: int, generator: torch.Generator) -> None:
    """Move the slices of each sample against their slots; vacated slots are missing."""
    pixels, mask, offsets = (batch[name], batch[f"{name}.mask"], batch[f"{name}.offsets"])
    count, slots = mask.shape
    moves = torch.randint(
        -most, most + 1, (count, 1), generator=generator, device=generator.device
    ).to(mask.device)
    wanted = torch.arange(slots, device=mask.device) + moves
    inside = (wanted >= 0) & (wanted < slots)
    source = wanted.clamp(0, slots - 1)
    rows = torch.arange(count, device=mask.device)[:, None]
    gap = (offsets[:, -1:] - offsets[:, :1]) / max(slots - 1, 1)
    kept = mask[rows, source] & inside
    batch[f"{name}.mask"] = kept
    batch[name] = torch.where(kept[:, :, None, None, None], pixels[rows, source], -1.0)
    batch[f"{name}.offsets"] = torch.where(kept, offsets[rows, source] - moves * gap, 0.0)
    if f"{name}.marks" in batch:
        batch[f"{name}.marks"] = batch[f"{name}.marks"][rows, source] * kept[:, :, None]


def augment_image(
    images: Tensor,
    points: Tensor,
    valid: Tensor,
    spec: AugmentSpec,
    *,
    generator: torch.Generator,
    swap: Sequence[int] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return varied images with their points moved along, for key-point networks.

    Args:
        images: (B, C, H, W), 0-1.
        points: (B, K, 2) px, (x, y); the centre of the first pixel is (0, 0).
        valid: (B, K) False where a point is unknown.
        spec: how much; distortion does not apply.
        generator: of all draws.
        swap: for each point the index of its partner on the other side, for flips of columns.

    Returns:
        The same three, 0-1; points may now lie outside the image and stay valid.
    """
    count, channels, height, width = images.shape
    matrix = affine_matrices(count, spec, generator, ratio=height / width)
    columns = chance(count, spec.flip_columns, generator)
    rows = chance(count, spec.flip_rows, generator)
    flips = 1 - 2 * torch.stack([columns, rows], -1).float()
    matrix = (matrix * flips[:, :, None]).to(images.device)
    grid = identity_grid((height, width), images.device)
    places = moved(grid[None], matrix)
    images = functional.grid_sample(images, places, **ZEROS)
    size = torch.tensor([width, height], device=points.device)
    inside = (2 * points.float() + 1) / size - 1
    back = torch.linalg.inv(matrix[:, :, :2]).to(points.device)
    there = (inside - matrix[:, None, :, 2].to(points.device)) @ back.transpose(-1, -2)
    there = ((there + 1) * size - 1) / 2
    if swap is not None:
        flipped = columns.to(points.device)
        there = torch.where(flipped[:, None, None], there[:, list(swap)], there)
        valid = torch.where(flipped[:, None], valid[:, list(swap)], valid)
    for change in _draw_changes((count, channels, height, width), spec, generator):
        images = change.applied(images, own=True)
    return images, there, valid
