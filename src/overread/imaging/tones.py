"""Random changes of pixel values: tone and holes; parameters differ by sample.

Images are (B, N, H, W) in 0-1; all N images of a sample (its slices and channels) change alike.
Everything is drawn first, for all samples, and applied then to as many of them at a time as the
processor's cache can hold. Geometry is not known here.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from overread.imaging.augment_spec import AugmentSpec
from overread.imaging.warps import chance, uniform

CURVE_KNOTS = 5
RISING = 0.65  # share of tone curves that rise throughout
DARK = 0.2  # black keeps at most this share of its new height
EVERYONE = slice(None)

__all__ = ["Holes", "Tones", "draw_holes", "draw_tones"]


def _lift(values: Tensor, device: torch.device) -> Tensor:
    return values.to(device)[:, None, None, None]


@dataclass(frozen=True, eq=False)
class Tones:
    """Changes of tone that were drawn for B samples.

    Attributes:
        gain: (B,) images are multiplied by it, negative where light and dark change places.
        bias: (B,) is added then.
        exponent: (B,) of gamma; None = no gamma.
        heights: (B, knots) of the tone curve; None = no curve.
        changed: whether each sample has another gain than 1, or a bias.
    """

    gain: Tensor
    bias: Tensor
    exponent: Tensor | None
    heights: Tensor | None
    changed: tuple[bool, ...]

    def applied(self, images: Tensor, part: slice = EVERYONE, *, own: bool = False) -> Tensor:
        """Return the images of some of the samples with their tone; within 0-1.

        Args:
            images: (B, N, H, W).
            part: which of the samples they are.
            own: whether the images may be written over.
        """
        if not own:
            images = images.clone()
        if any(self.changed[part]):
            images.mul_(_lift(self.gain[part], images.device))
            images.add_(_lift(self.bias[part], images.device))
        images.clamp_(0, 1)
        if self.exponent is not None:
            images = images.clamp_min_(1e-6).pow_(_lift(self.exponent[part], images.device))
        if self.heights is not None:
            images = _curved(images, self.heights[part].to(images.device))
        return images


def draw_tones(count: int, spec: AugmentSpec, generator: torch.Generator) -> Tones:
    """Draw brightness, contrast and gamma, inversion and tone curves."""
    happens = chance(count, spec.tone_p, generator)
    gain = 1 + uniform((count,), -spec.contrast, spec.contrast, generator) * happens
    bias = uniform((count,), -spec.brightness, spec.brightness, generator) * happens
    bent = chance(count, spec.gamma_p, generator)
    power = uniform((count,), -1, 1, generator) * bent
    flipped = chance(count, spec.invert_p, generator)
    sign = 1 - 2 * flipped.float()
    exponent = torch.pow(torch.full_like(power, 1 + spec.gamma), power) if spec.gamma > 0 else None
    heights = _draw_curves(count, spec.curve_p, generator) if spec.curve_p else None
    # Inversion, gain and bias are one line: 1 - v for inverted images.
    gain, bias = gain * sign, bias + gain * flipped
    changed = tuple(((gain != 1) | (bias != 0)).tolist())
    return Tones(gain, bias, exponent, heights, changed)


def _draw_curves(count: int, share: float, generator: torch.Generator) -> Tensor:
    """Draw heights of curves of straight pieces; dark stays dark."""
    happens = chance(count, share, generator)[:, None]
    free = uniform((count, CURVE_KNOTS), 0, 1, generator)
    rising = chance(count, RISING, generator)[:, None]
    heights = torch.where(rising, free.sort(1).values, free)
    strength = uniform((count, 1), 0, 1, generator) * happens
    straight = torch.linspace(0, 1, CURVE_KNOTS, device=free.device)
    heights = strength * heights + (1 - strength) * straight
    heights[:, 0] *= DARK
    return heights


def _curved(images: Tensor, heights: Tensor) -> Tensor:
    knots = heights.shape[1]
    place = images.clamp(0, 1) * (knots - 1)
    below = place.floor().clamp(max=knots - 2).long()
    flat = below.flatten(1)
    low, high = (heights.gather(1, flat + step).view_as(images) for step in (0, 1))
    return torch.lerp(low, high, place - below)


@dataclass(frozen=True, eq=False)
class Holes:
    """Black rectangles that were drawn for B samples, the same in all their slices.

    Attributes:
        kept: (B, H, W) 0 in the rectangles, else 1.
        hit: whether each sample has one.
    """

    kept: Tensor
    hit: tuple[bool, ...]

    def applied(self, images: Tensor, part: slice = EVERYONE, *, own: bool = False) -> Tensor:
        """Return the images of some of the samples; those without holes are not copied.

        Args:
            images: (B, N, H, W).
            part: which of the samples they are.
            own: whether the images may be written over.
        """
        if not any(self.hit[part]):
            return images
        kept = self.kept[part, None].to(images.device, images.dtype)
        return images.mul_(kept) if own else images * kept


def draw_holes(
    count: int, size: tuple[int, int], spec: AugmentSpec, generator: torch.Generator
) -> Holes | None:
    """Draw holes in images of this many rows and columns; None when there are none."""
    most = spec.holes[1]
    happens = chance(count, spec.holes_p, generator)
    number = torch.randint(
        spec.holes[0], most + 1, (count, 1), generator=generator, device=generator.device
    )
    corner = uniform((count, most, 2), 0, 1, generator)
    side = uniform((count, most, 2), *spec.hole_size, generator)
    if spec.holes_p == 0:
        return None
    real = (torch.arange(most, device=generator.device) < number) & happens[:, None]
    start = corner * (1 - side)
    lines = []
    for axis, length in enumerate(size):
        place = (torch.arange(length, device=generator.device) + 0.5) / length
        first, span = start[..., axis, None], side[..., axis, None]
        lines.append((place >= first) & (place < first + span))
    rows = (lines[0] & real[..., None]).float()
    covered = torch.einsum("bkh,bkw->bhw", rows, lines[1].float())
    return Holes((covered == 0).float(), tuple(real.any(1).tolist()))
