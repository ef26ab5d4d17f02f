"""Find named points in an image: encoder pyramid, top-down decoder, one map for each point.

Source: RSNA 2024 lumbar spine, 3rd place, stage 1 (section "Key-point network").
It knows nothing of what the points are; maps are decoded in `imaging`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Union

from pydantic import Field

from overread.models.encoder_spec import EncoderSpec

if TYPE_CHECKING:
    from overread.models.heatmap_network import Heatmap, HeatmapWithClasses

__all__ = ["Spec", "build"]


class Spec(EncoderSpec):
    """Settings of the network.

    Attributes:
        levels: maps of the encoder that the decoder uses (timm's out_indices); the first sets the
            stride of the result: level 0 has stride 2, level 1 stride 4 in most encoders.
        neck: channels of the decoder's map.
        hidden: channels inside the head.
        dropouts: rates of multi-sample dropout of the decoder's map in training; empty = none.
        classes: questions about the whole image, {name: number of answers}, such as orientation.
    """

    levels: tuple[int, ...] = Field((0, 1, 2, 3, 4), min_length=2)
    neck: int = Field(96, gt=0)
    hidden: int = Field(64, gt=0)
    dropouts: tuple[float, ...] = ()
    classes: Mapping[str, int] = {}


def build(
    spec: Spec, *, channels: int, points: int, seed: int
) -> Union["Heatmap", "HeatmapWithClasses"]:
    """Build the network: a `Heatmap`, or one with classes where the spec names some.

    Args:
        spec: settings.
        channels: of the image.
        points: number of maps, K.
        seed: of the weights that are not pretrained.
    """
    import torch

    from overread.models.encoder import build_pyramid
    from overread.models.heatmap_network import Heatmap, HeatmapWithClasses

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pyramid = build_pyramid(spec, channels=channels, levels=spec.levels)
        kind = HeatmapWithClasses if spec.classes else Heatmap
        return kind(spec, pyramid, points)
