"""Tones and holes: each within its limits, and exact where it can be."""

import pytest
import torch

from overread.imaging import AugmentSpec
from overread.imaging.blurs import draw_blurs
from overread.imaging.tones import draw_holes, draw_tones


def seeded(seed: int = 0) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(seed)


def images(count: int = 50, value: float = 0.5) -> torch.Tensor:
    """Flat images, two a sample."""
    return torch.full((count, 2, 16, 20), value)


def toned(values: torch.Tensor, spec: AugmentSpec) -> torch.Tensor:
    return draw_tones(len(values), spec, seeded()).applied(values)


def holed(values: torch.Tensor, spec: AugmentSpec) -> torch.Tensor:
    holes = draw_holes(len(values), values.shape[2:], spec, seeded())
    assert holes is not None
    return holes.applied(values)


def test_brightness_and_contrast() -> None:
    """Values move within the limits, in about the share of samples that was asked for."""
    spec = AugmentSpec(brightness=0.2, tone_p=0.5)
    found = toned(images(400), spec)[:, 0, 0, 0]
    contrast = toned(images(400), AugmentSpec(contrast=0.2, tone_p=1))[:, 0, 0, 0]

    assert (found == 0.5).float().mean().item() == pytest.approx(0.5, abs=0.07)
    assert (found - 0.5).abs().max() <= 0.2 + 1e-6
    assert (contrast / 0.5 - 1).abs().max() <= 0.2 + 1e-6


def test_gamma_keeps_black_and_white() -> None:
    """Gamma bends mid-grey both ways and leaves the ends where they are."""
    ramp = torch.tensor([0.0, 0.5, 1.0]).expand(100, 1, 1, 3)
    found = toned(ramp, AugmentSpec(gamma=0.5, gamma_p=1))[:, 0, 0]

    assert found[:, 0].max() < 1e-3
    torch.testing.assert_close(found[:, 2], torch.ones(100))
    assert found[:, 1].min() < 0.4
    assert found[:, 1].max() > 0.6
    assert found[:, 1].min() >= 0.5**1.5 - 1e-3


def test_holes() -> None:
    """As many rectangles of the right size as asked for, black, alike in all slices."""
    spec = AugmentSpec(holes=(1, 1), hole_size=(0.25, 0.5), holes_p=0.5)
    found = holed(images(400, 1.0), spec)
    black = (found == 0).float().mean((1, 2, 3))
    hit = black > 0

    assert hit.float().mean().item() == pytest.approx(0.5, abs=0.07)
    assert torch.equal(found[:, 0], found[:, 1])
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert black[hit].min() >= 0.25**2 - 0.04
    assert black.max() <= 0.5**2 + 0.04


def test_number_of_holes() -> None:
    """More holes are blacker on average; the number varies within its limits."""
    few, many = (
        holed(images(200, 1.0), AugmentSpec(holes=n, hole_size=(0.1, 0.1), holes_p=1))
        for n in ((1, 1), (8, 8))
    )

    assert (1 - many).mean() > 4 * (1 - few).mean()


def test_samples_alone_are_samples_together() -> None:
    """What was drawn gives the same images for one sample at a time as for all at once."""
    values = torch.rand(24, 3, 16, 20, generator=seeded(5))
    spec = AugmentSpec(preset="D", gamma=0.4, curve_p=0.5, invert_p=0.2, blur_p=0.9)
    drawn = [
        draw_tones(24, spec, seeded(1)),
        draw_blurs(values.shape, spec, seeded(2)),
        draw_holes(24, (16, 20), spec, seeded(3)),
    ]
    for change in drawn:
        assert change is not None
        together = change.applied(values)
        alone = [change.applied(values[i : i + 1], slice(i, i + 1)) for i in range(24)]
        own = change.applied(values.clone(), own=True)

        torch.testing.assert_close(torch.cat(alone), together, atol=1e-6, rtol=0)
        assert torch.equal(own, together)
        assert not torch.equal(together, values)


def test_nothing_drawn_costs_nothing() -> None:
    """Without a chance of it nothing is blurred and nothing has holes; images are not copied."""
    values = images(6)
    calm = AugmentSpec(blur_p=1e-9, holes_p=1e-9)
    blurs, holes = draw_blurs(values.shape, calm, seeded()), draw_holes(6, (16, 20), calm, seeded())

    assert draw_blurs(values.shape, AugmentSpec(), seeded()) is None
    assert draw_holes(6, (16, 20), AugmentSpec(), seeded()) is None
    assert blurs is not None
    assert holes is not None
    assert blurs.applied(values) is values
    assert holes.applied(values) is values
