"""Encoders: any timm network, or our `tiny_conv`, as one feature map or as a pyramid.

Inputs are scaled to (v - 0.5) / 0.5, whatever the encoder was pretrained with: that is what the
package's lite0 weights expect, and what the published systems did with ImageNet weights.
timm is imported when an encoder is built, never before.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from overread.models.depthwise import quicken_depthwise
from overread.models.encoder_spec import OWN, OWN_WIDTHS, EncoderSpec, check_own
from overread.models.tiny_conv import TinyConv
from overread.models.vision_ops import declare_vision_operators
from overread.models.weights import check_fit, read_weights
from overread.shelf import nearest

__all__ = ["Encoder", "Pyramid", "build_encoder", "build_pyramid"]

PROBE = (64, 64)
AT_ONCE = 2**18
"""Pixels that an encoder reads at once on a CPU, such as five images of 224 x 224: what it makes of
them then stays in the caches, which is up to 1.7 times faster than hundreds, and takes less memory.
"""
_LAYOUTS: dict[str, tuple[int, bool]] = {}


class Encoder(nn.Module):
    """Images (N, C, H, W) to one map (N, dim, h, w); tokens of transformers become h = tokens.

    Attributes:
        dim: channels of the map.
    """

    def __init__(self, body: nn.Module, dim: int, *, channels_first: bool, prefix: int) -> None:
        super().__init__()
        self.body = body
        self.dim = dim
        self.channels_first = channels_first
        self.prefix = prefix

    def forward(self, images: Tensor) -> Tensor:
        """Return the last feature map."""
        maps = [self._map(part) for part in ((images,) if self.training else _parts(images))]
        return maps[0] if len(maps) == 1 else torch.cat(maps)

    def _map(self, images: Tensor) -> Tensor:
        found = self.body(images)
        features: Tensor = found[-1] if isinstance(found, list) else found
        if features.ndim == 3:  # (N, tokens, dim), class tokens first
            return features[:, self.prefix :].transpose(1, 2).unsqueeze(-1)
        return features if self.channels_first else features.permute(0, 3, 1, 2)


def _parts(images: Tensor) -> tuple[Tensor, ...]:
    """Return images few at a time where that is faster: on a CPU, without gradients or a graph."""
    graph = torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export()
    if torch.is_grad_enabled() or graph or images.device.type != "cpu":
        return (images,)
    return torch.split(images, max(1, AT_ONCE // images.shape[-2:].numel()))


class Pyramid(nn.Module):
    """Images (N, C, H, W) to maps, the finest first.

    Attributes:
        widths: channels of each map.
    """

    def __init__(self, body: nn.Module, widths: tuple[int, ...], chosen: tuple[int, ...]) -> None:
        super().__init__()
        self.body = body
        self.widths = widths
        self.chosen = chosen

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the chosen maps."""
        maps = self.body(images)
        return [maps[index] for index in self.chosen]


def build_encoder(spec: EncoderSpec, *, channels: int) -> Encoder:
    """Build an encoder for images of `channels` channels.

    Raises:
        WeightsError: if the weights are absent or do not fit.
        ValueError: if the backbone has no such name.
    """
    if spec.backbone == OWN:
        check_own(spec, (0,))
        body = TinyConv(channels)
        return Encoder(body, body.widths[-1], channels_first=True, prefix=0)
    body = _timm_model(spec, channels, num_classes=0, global_pool="")
    if not spec.final_norm:
        _drop_final_norm(body)
    dim, channels_first = _layout(spec, body, channels)
    prefix = getattr(body, "num_prefix_tokens", 0)
    return Encoder(body, dim, channels_first=channels_first, prefix=prefix)


def build_pyramid(spec: EncoderSpec, *, channels: int, levels: tuple[int, ...]) -> Pyramid:
    """Build an encoder that gives the maps at `levels` (timm's out_indices), the finest first.

    Raises:
        WeightsError: if the weights are absent or do not fit.
        ValueError: if the backbone has no such name or level.
    """
    if list(levels) != sorted(set(levels)):
        raise ValueError(f"levels must rise, each once; found {levels}")
    if spec.backbone == OWN:
        check_own(spec, levels)
        body = TinyConv(channels, OWN_WIDTHS[: levels[-1] + 1])
        return Pyramid(body, tuple(body.widths[i] for i in levels), levels)
    model = _timm_model(spec, channels, features_only=True, out_indices=levels)
    widths = tuple(model.feature_info.channels())
    return Pyramid(model, widths, tuple(range(len(widths))))


def _timm_model(spec: EncoderSpec, channels: int, **options: Any) -> Any:
    model = _create(spec, channels, options)
    quicken_depthwise(model)
    return model


def _create(spec: EncoderSpec, channels: int, options: dict[str, Any]) -> Any:
    declare_vision_operators()
    import timm  # two seconds that only networks need

    known = timm.is_model(spec.backbone.partition(".")[0])
    if not known:
        names = [*timm.list_models(), OWN]
        raise ValueError(f'no encoder "{spec.backbone}": {nearest(spec.backbone, names)[:200]} ...')
    options |= spec.options
    if spec.drop_path:
        options["drop_path_rate"] = spec.drop_path
    if spec.weights == "none":
        return timm.create_model(spec.backbone, in_chans=channels, **options)
    if spec.weights != "hub":
        state = read_weights(spec.weights, spec.backbone)
        check_fit(state, _shapes(spec, state), spec.weights)
        options["pretrained_cfg_overlay"] = {"state_dict": state}
    with _quiet("timm.models._builder"):
        return timm.create_model(spec.backbone, pretrained=True, in_chans=channels, **options)


def _shapes(spec: EncoderSpec, state: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of the whole RGB classifier that the weights were made with."""
    import timm

    config = timm.models.get_pretrained_cfg(spec.backbone)
    head = f"{config.classifier}.weight" if config and isinstance(config.classifier, str) else ""
    classes = state[head].shape[0] if head in state else 0
    with torch.device("meta"):
        model = timm.create_model(spec.backbone, num_classes=classes)
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def _layout(spec: EncoderSpec, body: Any, channels: int) -> tuple[int, bool]:
    """Return the channels of the map and whether they come first; one blank image tells once."""
    backbone = spec.backbone + str(sorted(spec.options.items()))
    if backbone not in _LAYOUTS:
        config = body.pretrained_cfg
        wanted = spec.options.get("img_size", config["input_size"][-2:])
        fixed = wanted if isinstance(wanted, tuple) else (wanted, wanted)
        side = fixed if config.get("fixed_input_size") else PROBE
        training = body.training
        with torch.no_grad():
            shape = body.eval()(torch.zeros(1, channels, *side)).shape
        body.train(training)
        dim = shape[-1] if len(shape) == 3 else body.num_features
        _LAYOUTS[backbone] = (dim, len(shape) == 3 or shape[1] == dim)
    return _LAYOUTS[backbone]


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Silence timm about layers that a pyramid leaves out on purpose; `check_fit` has checked."""
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _drop_final_norm(body: Any) -> None:
    """Put identities where the last map would be normalised, as the published truncation did."""
    for owner, name in ((body, "norm"), (getattr(body, "head", None), "norm")):
        if isinstance(getattr(owner, name, None), nn.Module):
            setattr(owner, name, nn.Identity())
