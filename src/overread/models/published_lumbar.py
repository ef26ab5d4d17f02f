"""Weights of the published lumbar system (RSNA 2024, 3rd place) under the names of our networks.

Knows the names of three authors' checkpoints and of two networks; knows nothing of files.
Their third-party weights can so be used in `slice_attention` and `heatmap` with the same answers.
"""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from overread.models.slice_network import SliceAttention

__all__ = ["PLANES", "foreign_names", "grading_weights", "keypoint_weights"]

PLANES = ("sagittal_t1", "sagittal_t2", "axial_t2")
SAME = {
    "transformer.attention": "mixer.attention",
    "transformer.ffn": "mixer.feed",
    "transformer.norm1": "mixer.norm1",
    "transformer.norm2": "mixer.norm2",
    "level_fc": "level",
}
OF_CONDITION = {
    "fcs.{}.": "heads.{}.",
    "slice_fcs.{}.": "slice_heads.{}.",
    "slice_attentions.{}.fc1.": "gates.{}.inside.",
    "slice_attentions.{}.fc2.": "gates.{}.outside.",
}
NECK = {
    "neck.lateal_conv": "neck.lateral",
    "neck.upsample_conv": "neck.down",
    "neck.last": "neck.final",
}


def grading_weights(
    state: Mapping[str, Tensor],
    network: SliceAttention,
    conditions: Sequence[str],
    *,
    planes: Sequence[str] = PLANES,
) -> dict[str, Tensor]:
    """Return a state dict for `network` from a published grading checkpoint.

    Losses and the second name of the last encoder, which those checkpoints carry, are left out.

    Args:
        state: of the architecture A, B or C.
        network: with one encoder a view (`shared: false`, `final_norm: false`), in the order of
            `planes`, and heads in the order of `conditions`.
        conditions: their names in the checkpoint.
        planes: their names in the checkpoint.
    """
    names = _prefixes(network, conditions, planes)
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        if name.startswith("fc."):
            rows = value.reshape(len(conditions), -1, *value.shape[1:])
            found |= {f"heads.{i}.{name[3:]}": rows[i] for i in range(len(conditions))}
            continue
        for theirs, ours in names.items():
            if name.startswith(theirs):
                found[ours + name.removeprefix(theirs)] = value
                break
    return found


def keypoint_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict for `Heatmap` from a published key-point checkpoint.

    Biases of convolutions before a batch norm, which ours does not have, go into the running mean.
    """
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        if name.startswith("backbone."):
            found[f"encoder.body.{name.removeprefix('backbone.')}"] = value
        elif name.startswith("head."):
            found[name] = value
        elif name.startswith("neck.") and not re.search(r"\.0\.bias$", name):
            layer, rest = _split_neck(name)
            if name.endswith(".1.running_mean"):
                value = value - state[name.replace(".1.running_mean", ".0.bias")]  # noqa: PLW2901
            found[layer + rest] = value
    return found


def _split_neck(name: str) -> tuple[str, str]:
    for theirs, ours in NECK.items():
        if name.startswith(theirs):
            return ours, name.removeprefix(theirs)
    raise KeyError(f"{name} is not a weight of a published key-point network")


def _prefixes(
    network: SliceAttention, conditions: Sequence[str], planes: Sequence[str]
) -> dict[str, str]:
    """Return {beginning of their names: beginning of ours}."""
    found = {f"{theirs}.": f"{ours}." for theirs, ours in SAME.items()}
    for index, condition in enumerate(conditions):
        for theirs, ours in OF_CONDITION.items():
            found[theirs.format(condition)] = ours.format(index)
    for index, plane in enumerate(planes):
        body = network.encoders[index].get_submodule("body")
        children = [name for name, _ in body.named_children()]
        for theirs in (f"backbones.{plane}", f"{plane}_backbone"):
            for number, child in enumerate(children):
                found[f"{theirs}.{number}."] = f"encoders.{index}.body.{child}."
        for theirs in (f"gaps.{plane}.", f"{plane}_gap."):
            found[theirs] = f"pools.{index}."
    return found


def foreign_names(
    state: Mapping[str, Tensor], network: object, conditions: Sequence[str]
) -> list[str]:
    """Return the names in a checkpoint that mean nothing to our network.

    Losses and the second name of the last encoder, which grading checkpoints carry, are known.

    Args:
        state: the checkpoint.
        network: a `SliceAttention`, or a key-point network.
        conditions: as for `grading_weights`.
    """
    if isinstance(network, SliceAttention):
        known = ("fc.", "target_loss.", "backbone.", *_prefixes(network, conditions, PLANES))
    else:
        known = ("backbone.", "head.", *NECK)
    return [name for name in state if not name.startswith(known)]
