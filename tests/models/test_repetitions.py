"""Repeated images are found, and encoded once."""

import torch
from model_batches import HEADS, VIEWS, random_batch

from overread.models import slice_attention
from overread.models.repetitions import without_repetitions


def test_repetitions_are_found_in_order() -> None:
    """Distinct images stay in order; each given one is found again."""
    images = torch.randn(5, 1, 4, 3, generator=torch.Generator().manual_seed(0))
    given = images[[2, 0, 2, 2, 1, 0]]

    unique, where = without_repetitions(given)

    assert torch.equal(images[[2, 0, 1]], unique)
    assert where.tolist() == [0, 1, 0, 0, 2, 1]


def test_nothing_to_find() -> None:
    """No image, one image and different images stay as they are."""
    for count in (0, 1, 3):
        images = torch.arange(count * 2.0).reshape(count, 2)
        unique, where = without_repetitions(images)

        assert unique is images
        assert where.tolist() == list(range(count))


def test_permuted_pixels_are_another_image() -> None:
    """The same values at other places are no repetition."""
    images = torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [2.0, 1.0, 3.0]])

    assert len(without_repetitions(images)[0]) == 3


def test_network_encodes_a_repeated_slice_once() -> None:
    """In evaluation each distinct slice is encoded once, with the same answers; not in training."""
    network = slice_attention.build(
        slice_attention.Spec(backbone="tiny_conv", dropouts=()), inputs=VIEWS, heads=HEADS, seed=0
    )
    batch = random_batch(size=2)
    for view in VIEWS:
        batch[view] = batch[view][:, :1].expand_as(batch[view]).contiguous()
        batch[f"{view}.mask"] = torch.ones_like(batch[f"{view}.mask"])
    seen: list[int] = []
    for encoder in network.encoders:
        encoder.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    with torch.no_grad():
        found = network.eval()(batch)
        once = list(seen)
        seen.clear()
        network.train()(batch)

    assert once == [2] * len(VIEWS)
    assert sum(seen) == sum(2 * shape.slices for shape in VIEWS.values())
    assert all(torch.isfinite(value).all() for value in found.values())
