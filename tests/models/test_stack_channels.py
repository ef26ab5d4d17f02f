"""Slices as channels: what is missing is zero, what is asked for is told."""

import pytest
import torch
from torch import nn

from overread.models import ViewShape
from overread.models.stack_channels import Spec, build

INPUTS = {"near": ViewShape(3, 1, 32, 32), "far": ViewShape(2, 2, 32, 32)}
HEADS = {"any": 2, "kind": 5}


def _network(**settings: object) -> nn.Module:
    spec = Spec.model_validate({"backbone": "tiny_conv", **settings})
    return build(spec, inputs=INPUTS, heads=HEADS, seed=0).eval()


def _batch(size: int = 2) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    batch = {}
    for view, shape in INPUTS.items():
        pixels = (size, shape.slices, shape.channels, shape.height, shape.width)
        batch[view] = torch.randn(pixels, generator=generator)
        batch[f"{view}.mask"] = torch.ones(size, shape.slices, dtype=torch.bool)
    return batch


@pytest.mark.parametrize("pool", ["average", "gem", "concat"])
@pytest.mark.parametrize("convolutions", [(), (12, 10)])
def test_the_embedding_has_the_width_that_the_heads_read(pool, convolutions) -> None:
    """Convolutions set the width; mean and maximum side by side double it."""
    network = _network(pool=pool, convolutions=convolutions, gate=4)
    width = convolutions[-1] if convolutions else network.encoder.dim

    outputs = network(_batch())
    assert outputs["embedding"].shape == (2, width * (2 if pool == "concat" else 1))
    assert {name: outputs[f"logits.{name}"].shape for name in HEADS} == {
        "any": (2, 2),
        "kind": (2, 5),
    }


def test_pixels_of_a_missing_slice_are_never_seen() -> None:
    """Whatever lies in the memory of a masked slice, the answer is that of zeros."""
    network, batch = _network(), _batch()
    batch["near.mask"][:, 1] = False
    before = network(batch)["logits.any"]
    batch["near"][:, 1] = 1e3

    assert torch.equal(network(batch)["logits.any"], before)


def test_a_missing_slice_differs_from_a_black_one_when_told() -> None:
    """With `tell_missing` the network can tell them apart; without it cannot."""
    black, missing = _batch(), _batch()
    black["near"][:, 1] = 0.0
    missing["near.mask"][:, 1] = False

    for told in (False, True):
        network = _network(tell_missing=told)
        same = torch.equal(network(black)["logits.any"], network(missing)["logits.any"])
        assert same is not told


def test_views_of_two_sizes_are_refused_with_the_sizes() -> None:
    """They cannot be channels of one image."""
    inputs = {**INPUTS, "far": ViewShape(2, 2, 16, 32)}

    with pytest.raises(ValueError, match=r"one size in pixels; found .*\(16, 32\)"):
        build(Spec(backbone="tiny_conv"), inputs=inputs, heads=HEADS, seed=0)


def test_the_gate_scales_the_pooled_vector() -> None:
    """Its answer is the vector times a factor between 0 and 1."""
    plain, gated = _network(), _network(gate=8)
    gated.encoder.load_state_dict(plain.encoder.state_dict())
    before, after = plain(_batch())["embedding"], gated(_batch())["embedding"]
    ratio = (after / before)[before > 0]

    assert len(ratio) > before.numel() / 2
    assert ((ratio > 0) & (ratio < 1)).all()
