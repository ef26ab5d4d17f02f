"""Slice attention: masks, sharing, heads."""

import pytest
import torch
from model_batches import HEADS, VIEWS, random_batch
from pydantic import ValidationError
from torch import nn

from overread.models import ViewShape
from overread.models.slice_attention import Spec, build
from overread.models.slice_network import SliceAttention

VARIANTS = {
    "A": {},
    "B": {"head": "gated", "levels": 5},
    "C": {"head": "gated", "levels": 5, "slice_heads": True},
    "shared": {"shared": True, "plane_embedding": True, "position": "learnt", "width": 48},
    "waves": {"position": "sinusoidal", "pool": "average", "mixer": "none"},
}


def network(variant: str) -> SliceAttention:
    spec = Spec(backbone="tiny_conv", hidden=32, **VARIANTS[variant])
    built = build(spec, inputs=VIEWS, heads=HEADS, seed=0)
    if built.positions is not None and built.positions.linear is not None:
        nn.init.normal_(built.positions.linear.weight)
    return built.eval()


@pytest.mark.parametrize("variant", VARIANTS)
def test_missing_slices_do_not_change_the_answer(variant: str) -> None:
    """Logits are the same whether missing slices are absent or present with rubbish pixels."""
    built = network(variant)
    batch = random_batch()
    few = {name: value[:, :2] if name.startswith("sag") else value for name, value in batch.items()}
    batch["sagittal"][:, 2] = 1e3
    batch["sagittal.offsets"][:, 2] = 1e3
    batch["sagittal.mask"][:, 2] = False

    whole, cut = built(batch), built(few)

    for target in HEADS:
        torch.testing.assert_close(
            whole[f"logits.{target}"], cut[f"logits.{target}"], rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("variant", VARIANTS)
def test_unit_without_any_slice_gets_what_the_biases_say(variant: str) -> None:
    """All views missing gives finite logits: the bias of each head; other units do not notice."""
    built = network(variant)
    batch = random_batch()
    alone = built({name: value[1:] for name, value in batch.items()})
    for name in VIEWS:
        batch[f"{name}.mask"][0] = False
        batch[name][0] = torch.nan
        batch[f"{name}.offsets"][0] = torch.nan

    outputs = built(batch)

    for index, target in enumerate(HEADS):
        logits = outputs[f"logits.{target}"]
        torch.testing.assert_close(logits[0], built.heads[index].bias)
        torch.testing.assert_close(logits[1:], alone[f"logits.{target}"], rtol=1e-5, atol=1e-5)


def test_nothing_at_all_in_training_is_finite() -> None:
    """A whole batch without slices gives finite logits and gradients, in training too."""
    built = network("C").train()
    batch = random_batch()
    for name in VIEWS:
        batch[f"{name}.mask"][:] = False

    outputs = built(batch)
    sum(value.square().sum() for value in outputs.values()).backward()

    assert all(value.isfinite().all() for value in outputs.values())
    gradients = [weight.grad for weight in built.parameters() if weight.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_shapes_of_all_outputs() -> None:
    """Logits for targets, for slices of all views, and for levels."""
    outputs = network("C")(random_batch(size=2))

    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "logits.narrow": (2, 3),
        "logits.present": (2, 2),
        "slices.narrow": (2, 5, 3),
        "slices.present": (2, 5, 2),
        "level": (2, 5),
    }


def test_shared_encoder_sees_all_views_in_one_pass() -> None:
    """Present slices of all views of one size go through the shared encoder together."""
    built = network("shared")
    seen = []
    built.encoders[0].register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    batch = random_batch(size=2)
    batch["axial.mask"][0] = False

    built(batch)

    assert seen == [2 * 3 + 2]


def test_shared_encoder_takes_views_of_two_sizes() -> None:
    """Views of other sizes go through the shared encoder separately, and are not mixed up."""
    views = {**VIEWS, "photo": ViewShape(1, 1, 64, 48)}
    spec = Spec(backbone="tiny_conv", shared=True)
    built = build(spec, inputs=views, heads=HEADS, seed=0).eval()
    batch = random_batch(views)
    alone = {name: value.clone() for name, value in batch.items()}
    for name in ("axial", "sagittal"):
        alone[f"{name}.mask"][:] = False

    tokens, mask = built.tokens(batch)
    only, _ = built.tokens(alone)

    assert tuple(mask.shape) == (3, 6)
    torch.testing.assert_close(tokens[:, -1], only[:, -1])


def test_positions_tell_slices_apart() -> None:
    """With positions in mm the order of slices matters; without them it does not."""
    batch = random_batch()
    turned = {
        name: value.flip(1) if name in VIEWS else value.clone() for name, value in batch.items()
    }

    for variant, differs in (("A", False), ("waves", False), ("shared", True)):
        built = network(variant)
        there, back = built(batch)["logits.narrow"], built(turned)["logits.narrow"]
        assert differs == (not torch.allclose(there, back, atol=1e-4))


def test_building_leaves_the_global_generator_alone() -> None:
    """Building draws from its own seed only."""
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    network("A")

    assert expected == torch.rand(1)


def test_shared_encoder_needs_equal_channels() -> None:
    """Views of other channel counts are refused, with the counts."""
    views = {"a": ViewShape(1, 1, 32, 32), "b": ViewShape(1, 3, 32, 32)}

    with pytest.raises(ValueError, match="'b': 3"):
        build(Spec(backbone="tiny_conv", shared=True), inputs=views, heads=HEADS, seed=0)


def test_channels_must_divide_into_heads() -> None:
    """The error names both numbers."""
    with pytest.raises(ValueError, match="100 channels do not divide into 8"):
        build(Spec(backbone="tiny_conv", width=100), inputs=VIEWS, heads=HEADS, seed=0)


def test_needs_views_and_targets() -> None:
    """A network without a target is refused."""
    with pytest.raises(ValueError, match="needs views and targets"):
        build(Spec(backbone="tiny_conv"), inputs=VIEWS, heads={}, seed=0)


def test_unknown_setting_is_refused() -> None:
    """A misspelt setting is an error."""
    with pytest.raises(ValidationError, match="hiden"):
        Spec(backbone="tiny_conv", hiden=3)
