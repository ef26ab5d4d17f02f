"""Blur and noise: each within its limits, and exact where it can be."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from overread.imaging import AugmentSpec
from overread.imaging.blurs import (
    GRAIN_IMAGES,
    LEVELS,
    NOISE,
    _gaussian_kernels,
    _median,
    _motion_kernels,
    draw_blurs,
)


def seeded(seed: int = 0) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(seed)


def test_median_is_exact() -> None:
    """The median by minima and maxima is the median of nine."""
    noise = torch.rand(2, 3, 12, 15, generator=seeded())
    padded = np.pad(noise.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    found = _median(torch.from_numpy(padded))
    around = [padded[..., y : y + 12, x : x + 15] for y in range(3) for x in range(3)]

    np.testing.assert_array_equal(found, np.median(np.stack(around), axis=0))


@pytest.mark.parametrize("limit", [3, 5, 7])
def test_kernels_keep_brightness(limit) -> None:
    """Kernels sum to 1, centre on the middle, and differ with amount and angle."""
    amount = torch.linspace(0, 1, 9)
    angle = torch.linspace(0, 3.1, 9)
    steps = torch.arange(limit) - limit // 2
    for kernels in (_gaussian_kernels(limit, amount), _motion_kernels(limit, amount, angle)):
        assert kernels.shape == (9, limit, limit)
        torch.testing.assert_close(kernels.sum((1, 2)), torch.ones(9))
        assert (kernels.sum(1) * steps).sum(1).abs().max() < 1e-5
        assert not torch.equal(kernels[0], kernels[-1])


def test_motion_runs_along_its_angle() -> None:
    """Motion at angle 0 blurs along rows, at a right angle along columns."""
    flat, upright = _motion_kernels(5, torch.ones(2), torch.tensor([0.0, torch.pi / 2]))

    assert flat[2].sum() > 0.99
    assert upright[:, 2].sum() > 0.99


@pytest.mark.parametrize("limit", [3, 5, 7])
def test_blur_is_the_convolution(limit) -> None:
    """Motion and Gaussian blur are convolutions with repeated edges, a median is the median."""
    values = torch.rand(40, 3, 12, 15, generator=seeded(1))
    blurs = draw_blurs(values.shape, AugmentSpec(blur_limit=limit, blur_p=1), seeded(2))
    assert blurs is not None
    kernels = [_motion_kernels(limit, blurs.amount, blurs.angle), None]
    kernels.append(_gaussian_kernels(limit, blurs.amount))
    found = blurs.applied(values)

    assert set(blurs.kind) == {0, 1, 2, 3}
    for sample, kind in enumerate(blurs.kind):
        if kind == 1:
            expected = _median(functional.pad(values[sample], (1, 1, 1, 1), mode="replicate"))
        elif kind == NOISE:
            expected = values[sample]  # of no deviation
        else:
            padded = functional.pad(values[sample], (limit // 2,) * 4, mode="replicate")
            kernel = kernels[kind][sample]
            expected = functional.conv2d(padded[:, None], kernel[None, None])[:, 0]

        near = 1e-6 if kind != 1 else 0.51 / LEVELS
        torch.testing.assert_close(found[sample], expected, atol=near, rtol=0)


@pytest.mark.parametrize("number", [2, 15])
def test_noise_differs_by_image(number) -> None:
    """Each image of a sample has noise of its own, of the sample's deviation."""
    values = torch.full((12, number, 40, 50), 0.5)
    blurs = draw_blurs(values.shape, AugmentSpec(noise=(0.02, 0.05), blur_p=1), seeded(4))
    assert blurs is not None
    noisy = [place for place, kind in enumerate(blurs.kind) if kind == NOISE]
    noise = blurs.applied(values)[noisy] - 0.5
    deviation = noise.std((2, 3))
    likeness = torch.corrcoef(noise[0].flatten(1)) - torch.eye(number)

    assert number < GRAIN_IMAGES or number > GRAIN_IMAGES
    assert 0.019 < deviation.min() < deviation.max() < 0.051
    assert deviation.std(1).max() < 0.1 * deviation.min()
    assert noise.mean((2, 3)).abs().max() < 0.01
    assert likeness.abs().max() < 0.15
