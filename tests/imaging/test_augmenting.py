"""Augmentation: what varies, what must not, and that it is the same again with the same seed."""

import numpy as np
import pytest
import torch

from overread.imaging import (
    PRESETS,
    AugmentSpec,
    Batch,
    ViewSpec,
    augment,
    augment_image,
    centre,
    normalise,
    tensors,
)

VIEWS = {
    "t1": ViewSpec(series=("sagittal_t1",), slices={"count": 4}, pixels=(32, 40)),
    "ax": ViewSpec(series=("axial_t2",), slices={"count": 3}, pixels=(32, 32)),
}


def seeded(seed: int = 0) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(seed)


def smooth_batch(count: int = 6) -> Batch:
    """Smooth images, the same in all slices, nothing missing."""
    batch: Batch = {"target": torch.arange(count)}
    for name, view in VIEWS.items():
        rows, columns = view.stored
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        image = 0.5 + 0.3 * torch.sin(x / 7) * torch.cos(y / 6)
        slots = view.slices.count
        batch[name] = image.expand(count, slots, 1, rows, columns).clone()
        batch[f"{name}.mask"] = torch.ones(count, slots, dtype=torch.bool)
        batch[f"{name}.offsets"] = torch.arange(slots).float().expand(count, slots) - 1
    return batch


def centred(batch: Batch, views: dict[str, ViewSpec]) -> Batch:
    """The batch as networks are asked with it."""
    return tensors(centre({name: value.numpy() for name, value in batch.items()}, views))


def test_no_variation_is_the_centre() -> None:
    """Without any variation a training image is the evaluation image, to rounding."""
    batch = smooth_batch()
    found = augment(batch, AugmentSpec(), views=VIEWS, generator=seeded())
    expected = centred(batch, VIEWS)

    for name in VIEWS:
        torch.testing.assert_close(found[name], expected[name], atol=2e-5, rtol=0)
    assert found["target"] is batch["target"]


def test_one_side_without_variation_is_its_window() -> None:
    """A view of one side is varied about its own window, not about the middle of the crop."""
    views = {name: view.model_copy(update={"one_side": 0.6}) for name, view in VIEWS.items()}
    batch: Batch = {}
    for name, view in views.items():
        rows, columns = view.stored
        batch[name] = torch.linspace(0, 1, columns).expand(2, view.slots, 1, rows, columns).clone()
        batch[f"{name}.mask"] = torch.ones(2, view.slots, dtype=torch.bool)
        batch[f"{name}.offsets"] = torch.arange(view.slots).float().expand(2, view.slots)
        batch[f"{name}.marks"] = torch.arange(view.slots).float().expand(2, 1, -1).mT
    found = augment(batch, AugmentSpec(slice_shift=0), views=views, generator=seeded())
    expected = centred(batch, views)

    for name in views:
        torch.testing.assert_close(found[name], expected[name], atol=2e-5, rtol=0)
        assert torch.equal(found[f"{name}.marks"], expected[f"{name}.marks"])
    assert (found["t1"].shape[1], batch["t1"].shape[1]) == (4, 8)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets(preset) -> None:
    """Each published set varies samples differently, within the limits, the same with one seed."""
    batch = smooth_batch()
    spec = AugmentSpec(preset=preset)
    one, two, other = (
        augment(batch, spec, views=VIEWS, generator=seeded(seed)) for seed in (1, 1, 2)
    )

    for name, view in VIEWS.items():
        assert one[name].shape == (6, view.slices.count, 1, *view.pixels)
        assert torch.equal(one[name], two[name])
        assert not torch.equal(one[name], other[name])
        assert one[name].abs().max() <= 1
        assert not torch.equal(one[name][0], one[name][1])


def test_presets_as_published() -> None:
    """Numbers of the table: sizes of holes are shares of 224 px, noise a share of white."""
    spec = AugmentSpec(preset="B")

    assert (spec.brightness, spec.tone_p, spec.rotate, spec.blur_limit) == (0.18, 0.55, 14, 7)
    assert (spec.holes, spec.hole_size) == ((4, 12), (7 / 224, 32 / 224))
    assert spec.noise == pytest.approx((2.5**0.5 / 255, 3 / 255))
    assert AugmentSpec(preset="B", rotate=3).rotate == 3
    assert len(PRESETS) == 11


@pytest.mark.parametrize(
    "settings",
    [
        {"shift": 0.1, "scale": 0.2, "stretch": 0.1, "rotate": 20, "place_p": 1},
        {"distort": 0.8, "elastic": 0.05, "distort_p": 1},
        {"brightness": 0.2, "contrast": 0.2, "gamma": 0.5, "tone_p": 1, "invert_p": 0.5},
        {"holes": (2, 6), "holes_p": 1},
    ],
    ids=["place", "distort", "tone", "holes"],
)
def test_slices_of_a_sample_change_alike(settings) -> None:
    """All slices share their geometry, tone and holes; samples do not."""
    found = augment(smooth_batch(), AugmentSpec(**settings), views=VIEWS, generator=seeded())["t1"]

    torch.testing.assert_close(found, found[:, :1].expand_as(found))
    assert not torch.equal(found[0], found[1])


def test_margin_fills_what_moves_in() -> None:
    """A shift within the margin shows no black edge."""
    batch = smooth_batch(16)
    spec = AugmentSpec(shift=0.09, place_p=1)
    found = augment(batch, spec, views=VIEWS, generator=seeded())

    assert found["ax"].min() > -0.9


def test_missing_slices_stay_black() -> None:
    """Slices that are missing are black, whatever is done to the others."""
    batch = smooth_batch()
    batch["t1.mask"][:, 1] = False
    spec = AugmentSpec(preset="D", brightness=0.5, tone_p=1)
    found = augment(batch, spec, views=VIEWS, generator=seeded())

    assert (found["t1"][:, 1] == -1).all()
    assert not found["t1.mask"][:, 1].any()


def test_slice_shift() -> None:
    """Slices move against their slots; what left is missing; offsets tell the moved point."""
    batch = smooth_batch(40)
    batch["t1"] *= torch.linspace(0.4, 1, 4)[None, :, None, None, None]
    found = augment(batch, AugmentSpec(slice_shift=2), views=VIEWS, generator=seeded())
    brightness = found["t1"].mean((2, 3, 4))
    plain = centred(batch, VIEWS)["t1"].mean((2, 3, 4))[0]
    moved = {tuple(row) for row in found["t1.mask"].int().tolist()}

    assert moved == {(0, 0, 1, 1), (0, 1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 0), (1, 1, 0, 0)}
    for kept, shown, offsets in zip(found["t1.mask"], brightness, found["t1.offsets"], strict=True):
        number = int(kept.sum())
        expected = plain[:number] if kept[-1] else plain[-number:]
        torch.testing.assert_close(shown[kept], expected)
        # The slots stand still about the (misplaced) point: their offsets are those of before.
        torch.testing.assert_close(offsets[kept], batch["t1.offsets"][0][kept])


def test_blur_kinds() -> None:
    """Blur lowers the contrast of noise in some samples and noise raises it in others."""
    batch = {
        "ax": torch.rand(64, 3, 1, *VIEWS["ax"].stored, generator=seeded()) * 0.2 + 0.4,
        "ax.mask": torch.ones(64, 3, dtype=torch.bool),
        "ax.offsets": torch.zeros(64, 3),
    }
    spec = AugmentSpec(blur_p=1, blur_limit=5, noise=(0.1, 0.2))
    found = augment(batch, spec, views=VIEWS, generator=seeded(1))["ax"]
    ratio = found.std((1, 2, 3, 4)) / centred(batch, VIEWS)["ax"].std((1, 2, 3, 4))

    assert (ratio < 0.9).float().mean() > 0.4
    assert (ratio > 1.2).float().mean() > 0.1


def point_images(points: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Images with a soft dot at each point, a channel a point."""
    rows, columns = torch.arange(size[0]), torch.arange(size[1])
    off_x = (columns - points[..., 0, None]).square()[..., None, :]
    off_y = (rows - points[..., 1, None]).square()[..., :, None]
    return torch.exp(-(off_x + off_y) / 8)


@pytest.mark.parametrize(
    "settings",
    [
        {"rotate": 30},
        {"shift": 0.1},
        {"scale": 0.3},
        {"stretch": 0.3},
        {"flip_columns": 0.5, "flip_rows": 0.5},
        {"rotate": 20, "shift": 0.05, "scale": 0.2, "stretch": 0.2, "flip_columns": 0.5},
    ],
    ids=str,
)
def test_points_move_with_the_image(settings) -> None:
    """After any geometry a dot of the image stands where its point says."""
    points = torch.tensor([[30.0, 40.0], [50.0, 28.0], [45.0, 62.0]]).expand(8, 3, 2)
    images = point_images(points, (90, 80))
    spec = AugmentSpec(**settings, place_p=1)
    valid = torch.ones(8, 3, dtype=torch.bool)
    found, moved, _ = augment_image(images, points, valid, spec, generator=seeded())
    weight = found / found.sum((2, 3), keepdim=True)
    x = (weight.sum(2) * torch.arange(80)).sum(-1)
    y = (weight.sum(3) * torch.arange(90)).sum(-1)

    torch.testing.assert_close(torch.stack([x, y], -1), moved, atol=0.15, rtol=0)
    assert (moved - points).abs().max() > 1


def test_flips_swap_paired_points() -> None:
    """A point of the left side becomes its partner of the right side, its validity too."""
    points = torch.tensor([[[10.0, 5.0], [30.0, 5.0], [20.0, 9.0]]])
    valid = torch.tensor([[True, False, True]])
    spec = AugmentSpec(flip_columns=1)
    _, moved, known = augment_image(
        torch.rand(1, 1, 20, 41), points, valid, spec, generator=seeded(), swap=(1, 0, 2)
    )

    torch.testing.assert_close(moved[0, 1], torch.tensor([30.0, 5.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(moved[0, 2], torch.tensor([20.0, 9.0]), atol=1e-4, rtol=0)
    assert known.tolist() == [[False, True, True]]


def test_image_tones_stay_within_limits() -> None:
    """Key-point images stay 0-1, and inversion turns light into dark."""
    image = torch.linspace(0, 1, 400).reshape(1, 1, 20, 20)
    points, valid = torch.zeros(1, 1, 2), torch.ones(1, 1, dtype=torch.bool)
    turned, _, _ = augment_image(image, points, valid, AugmentSpec(invert_p=1), generator=seeded())
    spec = AugmentSpec(preset="D", gamma=0.5, brightness=0.9, tone_p=1)
    varied, _, _ = augment_image(image, points, valid, spec, generator=seeded())

    torch.testing.assert_close(turned, 1 - image, atol=1e-5, rtol=0)
    assert 0 <= varied.min() <= varied.max() <= 1


def test_normalise() -> None:
    """Black is -1, mid-grey 0, white 1."""
    assert normalise(np.array([0.0, 0.5, 1.0], np.float32)).tolist() == [-1, 0, 1]


def test_settings_are_checked() -> None:
    """Falling ranges and unknown presets are refused."""
    with pytest.raises(ValueError, match="two rising numbers"):
        AugmentSpec(holes=(5, 2))
    with pytest.raises(ValueError, match="preset"):
        AugmentSpec.model_validate({"preset": "Z"})


def test_batch_is_left_alone() -> None:
    """Augmentation never writes into the batch that it was given."""
    batch = smooth_batch()
    before = {key: value.clone() for key, value in batch.items()}
    augment(batch, AugmentSpec(preset="D", slice_shift=1), views=VIEWS, generator=seeded())

    assert all(np.array_equal(before[key], batch[key]) for key in batch)
