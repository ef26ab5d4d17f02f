"""Random blur and noise: motion, a median, a Gaussian or grain, one of them a sample.

Images are (B, N, H, W); all N images of a sample change alike, but for the noise. Geometry and tone
are not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from overread.imaging.augment_spec import AugmentSpec
from overread.imaging.warps import chance, uniform

__all__ = ["Blurs", "draw_blurs"]

MOTION, MEDIAN, GAUSSIAN, NOISE = range(4)
EVERYONE = slice(None)
# The noise of a sample's images are windows of as many numbers as this many images have: drawing
# normal numbers for every image costs more than all else that happens to it.
GRAIN_IMAGES = 4
LEVELS = 2**15 - 1


@dataclass(frozen=True, eq=False)
class Grain:
    """The noise of one sample.

    Attributes:
        numbers: a line of normal numbers of the sample's deviation.
        starts: of each of its N images, where in the line its own begin.
    """

    numbers: Tensor
    starts: tuple[int, ...]

    def of(self, image: int, size: Sequence[int]) -> Tensor:
        """Return the noise of one image of (rows, columns)."""
        start = self.starts[image]
        return self.numbers[start : start + size[0] * size[1]].view(size[0], size[1])


@dataclass(frozen=True, eq=False)
class Blurs:
    """What was drawn for B samples: motion blur, a median, Gaussian blur or noise, or nothing.

    Attributes:
        limit: greatest side of a kernel, px.
        kind: what happens to each sample: a number below 4, or -1 for nothing.
        amount, angle: (B,).
        noise: {sample: its noise}.
    """

    limit: int
    kind: tuple[int, ...]
    amount: Tensor
    angle: Tensor
    noise: dict[int, Grain]

    def applied(self, images: Tensor, part: slice = EVERYONE, *, own: bool = False) -> Tensor:
        """Return the images of some of the samples; those that stay as they are, are not copied.

        Args:
            images: (B, N, H, W), 0-1.
            part: which of the samples they are.
            own: whether the images may be written over.
        """
        first, last, _ = part.indices(len(self.kind))
        chosen = [(place, kind) for place, kind in enumerate(self.kind[first:last]) if kind >= 0]
        if not chosen:
            return images
        result = images if own else images.clone()
        for place, kind in chosen:
            self._change(result[place], kind, first + place)
        return result

    def _change(self, images: Tensor, kind: int, sample: int) -> None:
        """Change the images (N, H, W) of a sample where they are."""
        if kind == MEDIAN:
            _apply_median(images)
        elif kind == NOISE:
            grain = self.noise[sample]
            for number, image in enumerate(images):
                noise = grain.of(number, image.shape).to(images.device, non_blocking=True)
                image.add_(noise).clamp_(0, 1)
        elif kind == GAUSSIAN:
            _apply_kernel(images, _gaussian_kernels(self.limit, self.amount[sample, None])[0])
        else:
            chosen = self.amount[sample, None], self.angle[sample, None]
            _apply_kernel(images, _motion_kernels(self.limit, *chosen)[0])


def draw_blurs(shape: Sequence[int], spec: AugmentSpec, generator: torch.Generator) -> Blurs | None:
    """Draw the blur of images (B, N, H, W); None when nothing is blurred."""
    count = shape[0]
    happens = chance(count, spec.blur_p, generator)
    kind = torch.randint(4, (count,), generator=generator, device=generator.device)
    amount = uniform((count,), 0, 1, generator)
    angle = uniform((count,), 0, torch.pi, generator)
    if spec.blur_p == 0:
        return None
    kinds = tuple(torch.where(happens, kind, -1).tolist())
    low, high = spec.noise
    deviations = (amount * (high**2 - low**2) + low**2).sqrt()
    noise = {
        place: _draw_grain(shape[1:], deviations[place], generator)
        for place, kind in enumerate(kinds)
        if kind == NOISE
    }
    return Blurs(spec.blur_limit, kinds, amount, angle, noise)


def _draw_grain(shape: Sequence[int], deviation: Tensor, generator: torch.Generator) -> Grain:
    number, rows, columns = shape
    size = rows * columns
    drawn = min(number, GRAIN_IMAGES) * size
    device = generator.device
    numbers = torch.randn(drawn, generator=generator, device=device).mul_(deviation)
    if number <= GRAIN_IMAGES:
        return Grain(numbers, tuple(range(0, drawn, size)))
    starts = torch.randint(drawn - size + 1, (number,), generator=generator, device=device)
    return Grain(numbers, tuple(starts.tolist()))


def _apply_kernel(images: Tensor, kernel: Tensor) -> None:
    """Put images (N, H, W) under a kernel, where they are; edges repeated.

    As channels of one image: as images of one channel each it takes two to four times as long.
    """
    count, side = len(images), len(kernel)
    padded = functional.pad(images[None], (side // 2,) * 4, mode="replicate")
    weights = kernel.to(images.device).expand(count, 1, side, side)
    images.copy_(functional.conv2d(padded, weights, groups=count)[0])


def _offsets(limit: int, device: torch.device) -> tuple[Tensor, Tensor]:
    half = limit // 2
    steps = torch.arange(-half, half + 1, device=device, dtype=torch.float32)
    return steps[None, :, None], steps[None, None, :]


def _gaussian_kernels(limit: int, amount: Tensor) -> Tensor:
    """Return (n, limit, limit) Gaussians of up to limit / 6 + 0.5 px."""
    y, x = _offsets(limit, amount.device)
    sigma = (0.3 + amount * (limit / 6 + 0.2))[:, None, None]
    kernels = torch.exp(-(x.square() + y.square()) / (2 * sigma.square()))
    return kernels / kernels.sum((1, 2), keepdim=True)


def _motion_kernels(limit: int, amount: Tensor, angle: Tensor) -> Tensor:
    """Return (n, limit, limit) lines of 3 to `limit` px, about one pixel wide."""
    y, x = _offsets(limit, amount.device)
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    along, across = x * cosine + y * sine, y * cosine - x * sine
    half = (1 + amount * (limit // 2 - 1))[:, None, None]
    kernels = (1 - across.abs()).clamp_min(0) * (half + 0.5 - along.abs()).clamp(0, 1)
    return kernels / kernels.sum((1, 2), keepdim=True)


def _apply_median(images: Tensor) -> None:
    """Put images (N, H, W), 0-1, under a 3 x 3 median, where they are; edges repeated.

    On a CPU in 15 bits, finer than crops are kept, and image by image: half as many bytes, which
    stay in the processor's cache.
    """
    if images.device.type != "cpu":
        images.copy_(_median(functional.pad(images, (1, 1, 1, 1), mode="replicate")))
        return
    for image in images:
        padded = functional.pad(image[None], (1, 1, 1, 1), mode="replicate")[0]
        image.copy_(_median(padded.mul_(LEVELS).round_().to(torch.int16))).div_(LEVELS)


def _median(padded: Tensor) -> Tensor:
    """Return the 3 x 3 median of each image (..., H, W), which comes with a border of a pixel.

    The median of nine is the median of the greatest least, the median middle and the least
    greatest of its three sorted columns: 18 comparisons of whole images, no sort.
    """
    rows, columns = (side - 2 for side in padded.shape[-2:])
    above, here, below = (padded[..., i : i + rows, :] for i in range(3))
    low, high = torch.minimum(above, here), torch.maximum(above, here)
    rest = torch.maximum(low, below)
    least = torch.minimum(low, below, out=low)
    middle = torch.minimum(high, rest)
    greatest = torch.maximum(high, rest, out=high)
    a, b, c = (least[..., i : i + columns] for i in range(3))
    greatest_least = torch.maximum(torch.maximum(a, b), c)
    median_middle = _middle(*(middle[..., i : i + columns] for i in range(3)))
    a, b, c = (greatest[..., i : i + columns] for i in range(3))
    least_greatest = torch.minimum(torch.minimum(a, b), c)
    return _middle(greatest_least, median_middle, least_greatest)


def _middle(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Return the median of three."""
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    return torch.maximum(low, torch.minimum(high, c, out=high), out=low)
