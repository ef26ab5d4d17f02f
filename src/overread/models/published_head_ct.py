"""Weights of the published head CT networks (RSNA 2019, 3rd place) under the names of ours.

Knows the names in their checkpoints and one network; knows nothing of files. Theirs answer one
logit a target, ours two: the first is 0.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from overread.models.stack_network import StackChannels

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "foreign_slice_names", "slice_weights"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
GATE = {"linear_1": "inside", "linear_2": "outside"}
BODY = re.compile(r"net\.(layer[0-4]\..+)")
HEAD = re.compile(r"net\.last_linear\.\d+\.(weight|bias)")
SQUEEZE = re.compile(r"net\.last_linear\.\d+\.(linear_[12])\.(weight|bias)")
POWER = re.compile(r"net\.avg_?pool\.p")


def slice_weights(state: Mapping[str, Tensor], network: StackChannels) -> dict[str, Tensor]:
    """Return a state dict for `network` from a published checkpoint.

    Args:
        state: of an SE-ResNeXt with squeeze-excitation gate and one linear layer.
        network: of the same backbone, with `gate: 8` and heads in the order of their classes.
    """
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        if body := BODY.fullmatch(name):
            found[f"encoder.body.{body[1]}"] = value
        elif squeeze := SQUEEZE.fullmatch(name):
            found[f"gate.{GATE[squeeze[1]]}.{squeeze[2]}"] = value
        elif POWER.fullmatch(name):
            found["pool.p"] = value.reshape(1)
        elif head := HEAD.fullmatch(name):
            found |= _two_grades(head[1], value, len(network.own))
    return found


def _two_grades(leaf: str, value: Tensor, heads: int) -> dict[str, Tensor]:
    """Return a row of zeros and one of theirs for each head; too few or many are told by shape."""
    if len(value) != heads:
        return {f"heads.{number}.{leaf}": value for number in range(heads)}
    return {
        f"heads.{number}.{leaf}": torch.stack([torch.zeros_like(row), row])
        for number, row in enumerate(value)
    }


def foreign_slice_names(state: Mapping[str, Tensor]) -> list[str]:
    """Return the names in a checkpoint that mean nothing to our network."""
    known = (BODY, SQUEEZE, POWER, HEAD)
    return [name for name in state if not any(one.fullmatch(name) for one in known)]
