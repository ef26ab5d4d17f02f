"""Prediction: order, modes, batches."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from toy_fit import ToyExamples, toy_network

from overread.learning import predict
from overread.models.heatmap import Spec, build


class Pictures:
    """Three pictures for networks that take images."""

    def __len__(self) -> int:
        return 3

    def batch(self, indices: Sequence[int], **_: object) -> dict[str, Tensor]:
        return {"image": torch.ones(len(indices), 1, 32, 32)}


def test_batch_size_does_not_matter() -> None:
    """All examples come in their order, however they are batched, the last one short."""
    network = toy_network()

    one, many = (predict(network, ToyExamples(7), batch=size) for size in (1, 3))

    assert {"logits.grade", "level"} == set(one)
    assert one["logits.grade"].shape == (7, 3)
    assert np.float32 == one["logits.grade"].dtype
    np.testing.assert_allclose(one["logits.grade"], many["logits.grade"], atol=1e-5)


def test_repeatable_and_leaves_modes_alone() -> None:
    """Evaluation mode inside, each module's own mode after; no gradients."""
    network = toy_network().train()
    network.mixer.eval()

    first, second = (predict(network, ToyExamples(4), batch=4) for _ in range(2))

    assert np.array_equal(first["level"], second["level"])
    assert network.training
    assert not network.mixer.training


def test_image_networks_get_the_image() -> None:
    """A heat-map network is given batch["image"]; its one tensor is called logits."""
    network = build(Spec(backbone="tiny_conv", levels=(0, 1)), channels=1, points=2, seed=0)

    assert predict(network, Pictures(), batch=2)["logits"].shape == (3, 2, 16, 16)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_is_near(precision: str) -> None:
    """Half precision changes logits a little and comes back as float32."""
    network = toy_network()

    full = predict(network, ToyExamples(4))["logits.grade"]
    low = predict(network, ToyExamples(4), precision=precision)["logits.grade"]

    assert np.float32 == low.dtype
    np.testing.assert_allclose(full, low, atol=0.1)


def test_no_examples_give_nothing() -> None:
    """Nothing asked, nothing answered."""
    assert predict(toy_network(), ToyExamples(0)) == {}


def test_progress_is_told() -> None:
    """After each batch: how many of how many."""
    told: list[tuple[str, int, int]] = []

    predict(toy_network(), ToyExamples(5), batch=2, on_progress=lambda *words: told.append(words))

    assert told == [("predict", 2, 5), ("predict", 4, 5), ("predict", 5, 5)]
