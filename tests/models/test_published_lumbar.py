"""Published checkpoints under our names."""

import pytest
import torch

from overread.models import ViewShape, heatmap, slice_attention
from overread.models.published_lumbar import PLANES, grading_weights, keypoint_weights

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
