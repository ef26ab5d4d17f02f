"""Training images: crop, vary and normalise in one go, on the batch's device.

All slices of a sample and view share their geometry, samples and views differ. The same generator
state gives the same batch. Labels are not known here; mirroring, which swaps them, is elsewhere.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from overread.imaging.augment_spec import AugmentSpec
from overread.imaging.batches import Batch, normalise, seen_slots
from overread.imaging.tones import blurred, holed, toned
from overread.imaging.views import ViewSpec
from overread.imaging.warps import affine_matrices, chance, distortions, identity_grid, moved

__all__ = ["augment", "augment_image"]


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
        stored, mask = batch[name][:, view.window[0]].float(), result[f"{name}.mask"]
        images = stored.flatten(1, 2)  # B, S*C, H, W
        images = _warped(images, view, spec, generator)
        images = holed(blurred(toned(images, spec, generator), spec, generator), spec, generator)
        pixels = images.reshape(*stored.shape[:3], *view.pixels)
        result[name] = normalise(pixels * mask[:, :, None, None, None])
        if spec.slice_shift:
            _shift_slices(result, name, spec.slice_shift, generator)
    return result


def _warped(
    images: Tensor, view: ViewSpec, spec: AugmentSpec, generator: torch.Generator
) -> Tensor:
    """Return the windows under random geometry; the margin fills what moves in."""
    count, size = len(images), view.pixels
    device = images.device
    matrix = affine_matrices(count, spec, generator, ratio=size[0] / size[1])
    field = distortions(count, size, spec, generator)
    grid = identity_grid(size, generator.device)
    places = moved(grid[None] if field is None else grid + field, matrix)
    share, offset = [], []
    for axis, part in ((-1, view.window[2]), (-2, view.window[1])):
        whole, seen = images.shape[axis], part.stop - part.start
        share.append(seen / whole)
        offset.append((2 * part.start - (whole - seen)) / whole)  # 0 for a window in the middle
    places = places * torch.tensor(share, device=places.device)
    return functional.grid_sample(
        images,
        (places + torch.tensor(offset, device=places.device)).to(device),
        padding_mode="zeros",
        align_corners=False,
    )


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
    count, _, height, width = images.shape
    matrix = affine_matrices(count, spec, generator, ratio=height / width)
    columns = chance(count, spec.flip_columns, generator)
    rows = chance(count, spec.flip_rows, generator)
    flips = 1 - 2 * torch.stack([columns, rows], -1).float()
    matrix = (matrix * flips[:, :, None]).to(images.device)
    grid = identity_grid((height, width), images.device)
    places = moved(grid[None], matrix)
    images = functional.grid_sample(images, places, padding_mode="zeros", align_corners=False)
    size = torch.tensor([width, height], device=points.device)
    inside = (2 * points.float() + 1) / size - 1
    back = torch.linalg.inv(matrix[:, :, :2]).to(points.device)
    there = (inside - matrix[:, None, :, 2].to(points.device)) @ back.transpose(-1, -2)
    there = ((there + 1) * size - 1) / 2
    if swap is not None:
        flipped = columns.to(points.device)
        there = torch.where(flipped[:, None, None], there[:, list(swap)], there)
        valid = torch.where(flipped[:, None], valid[:, list(swap)], valid)
    images = holed(blurred(toned(images, spec, generator), spec, generator), spec, generator)
    return images, there, valid
