"""Published checkpoints under our names."""

import pytest
import torch

from overread.models import ViewShape, heatmap, slice_attention
from overread.models.published_lumbar import (
    PLANES,
    foreign_names,
    grading_weights,
    keypoint_weights,
)

CONDITIONS = ("canal", "foramen")


def test_conv_biases_go_into_running_means() -> None:
    """A key-point decoder with biases answers as ours with shifted running means."""
    spec = heatmap.Spec(backbone="tiny_conv", levels=(0, 1))
    ours = heatmap.build(spec, channels=1, points=1, seed=0).eval()
    theirs = {
        name.replace("encoder.body.", "backbone.")
        .replace("neck.lateral", "neck.lateal_conv")
        .replace("neck.down", "neck.upsample_conv")
        .replace("neck.final", "neck.last"): value
        for name, value in ours.state_dict().items()
    }
    for name in [name for name in theirs if name.endswith(".1.running_mean")]:
        if name.startswith("neck."):
            theirs[name.replace(".1.running_mean", ".0.bias")] = torch.ones_like(theirs[name])

    found = keypoint_weights(theirs)

    assert set(ours.state_dict()) == set(found)
    assert torch.equal(-torch.ones(96), found["neck.final.1.running_mean"])


def test_one_layer_for_all_conditions_is_split() -> None:
    """The rows of the one linear layer become a head for each condition."""
    spec = slice_attention.Spec(backbone="tiny_conv")
    network = slice_attention.build(
        spec,
        inputs={plane: ViewShape(2, 1, 32, 32) for plane in PLANES},
        heads=dict.fromkeys(CONDITIONS, 3),
        seed=0,
    )
    rows = torch.arange(6.0)[:, None].expand(6, 128)

    found = grading_weights(
        {"fc.weight": rows, "fc.bias": rows[:, 0], "target_loss.x": rows}, network, CONDITIONS
    )

    assert {"heads.0.weight", "heads.1.weight", "heads.0.bias", "heads.1.bias"} == set(found)
    assert found["heads.1.bias"].tolist() == [3.0, 4.0, 5.0]


def test_names_of_no_network_are_refused() -> None:
    """A layer of the neck that is not known is an error."""
    with pytest.raises(KeyError, match=r"neck\.other"):
        keypoint_weights({"neck.other.weight": torch.zeros(1)})


def test_architectures_are_presets() -> None:
    """A has one head on the mean, B gates tokens for each target, C also grades slices."""
    kinds = {
        name: (spec.head, spec.slice_heads, spec.final_norm, spec.drop_path)
        for name in "ABC"
        for spec in [slice_attention.Spec(preset=name, backbone="tiny_conv")]
    }
    beside = slice_attention.Spec(preset="C", backbone="tiny_conv", final_norm=True)

    assert kinds == {
        "A": ("mean", False, False, 0.2),
        "B": ("gated", False, False, 0.2),
        "C": ("gated", True, False, 0.2),
    }
    assert (beside.final_norm, beside.slice_heads) == (True, True)
    assert "preset" not in slice_attention.Spec(backbone="tiny_conv").identity()


def test_names_that_mean_nothing() -> None:
    """Losses and the second name of the last encoder are known; other names are told."""
    spec = slice_attention.Spec(backbone="tiny_conv")
    network = slice_attention.build(
        spec, inputs={plane: ViewShape(2, 1, 32, 32) for plane in PLANES},
        heads=dict.fromkeys(CONDITIONS, 3), seed=0,
    )  # fmt: skip
    state = dict.fromkeys(
        ["fc.weight", "target_loss.x", "backbone.0.0.weight", "other.bias"], torch.zeros(1)
    )

    assert foreign_names(state, network, CONDITIONS) == ["other.bias"]
    assert foreign_names(state, None, ()) == ["fc.weight", "target_loss.x", "other.bias"]
