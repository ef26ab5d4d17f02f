"""Cosine heads, and encoders whose sizes are options."""

import pytest
import torch

from overread.learning import LossSpec, grading_loss
from overread.models import EncoderSpec, ViewShape, build_encoder, slice_attention
from overread.models.blocks import CosineLinear
from overread.records import Rubric, Target

VIEW = ViewShape(slices=1, channels=3, height=32, width=32)
RUBRIC = Rubric("faces", "photo", (Target("age", ("young", "middle", "old"), (1.0,) * 3),))


def batch(count: int = 4) -> dict[str, torch.Tensor]:
    """Photographs with their ages."""
    generator = torch.Generator().manual_seed(0)
    return {
        "face": torch.randn(count, 1, 3, 32, 32, generator=generator),
        "face.mask": torch.ones(count, 1, dtype=torch.bool),
        "face.offsets": torch.zeros(count, 1),
        "target.age": torch.eye(3)[torch.arange(count) % 3],
        "weight.age": torch.ones(count),
    }


def test_logits_are_scaled_cosines() -> None:
    """They equal the scale times torch's cosine similarity, whatever the length of a token."""
    head = CosineLinear(5, 3, (), scale=30.0)
    tokens = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    expected = 30 * torch.cosine_similarity(tokens[:, None], head.weight[None], dim=-1)

    torch.testing.assert_close(expected, head(tokens))
    torch.testing.assert_close(expected, head(7 * tokens))
    assert torch.equal(torch.zeros(1, 3), head(torch.zeros(1, 5)))


@pytest.mark.parametrize("training", [True, False])
def test_a_network_with_cosine_heads_takes_a_margin(training: bool) -> None:
    """It tells its scale, in training and after, and the margin reaches its weights."""
    spec = slice_attention.Spec(
        backbone="tiny_conv", mixer="none", heads="cosine", scale=20, dropouts=()
    )
    network = slice_attention.build(spec, inputs={"face": VIEW}, heads={"age": 3}, seed=0)
    outputs = network.train(training)(batch())
    loss = grading_loss(LossSpec(margin=0.3), RUBRIC)(outputs, batch())["total"]
    loss.backward()

    assert outputs["scale"].tolist() == [20.0] * 4
    assert outputs["logits.age"].abs().max() <= 20.001
    assert network.heads[0].weight.grad.abs().sum() > 0


def test_a_small_transformer_by_options() -> None:
    """The published transformer: patches of 32, 108 channels, three layers, four heads."""
    options = {
        "img_size": (128, 96), "patch_size": 32, "embed_dim": 108, "depth": 3, "num_heads": 4,
    }  # fmt: skip
    spec = EncoderSpec(backbone="vit_tiny_patch16_224", options=options)
    encoder = build_encoder(spec, channels=3)
    found = encoder.eval()(torch.zeros(2, 3, 128, 96))

    assert found.shape == (2, 108, 12, 1)
    assert "options" not in EncoderSpec(backbone="tiny_conv").identity()
    assert "options" in spec.identity()
