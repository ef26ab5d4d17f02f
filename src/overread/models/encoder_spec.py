"""Which encoder a network has: its settings, and what can be wrong with them.

It builds nothing; `encoder` does.
"""

from collections.abc import Mapping

from pydantic import Field

from overread.shelf import Spec

__all__ = ["OWN", "OWN_WIDTHS", "EncoderSpec", "WeightsError", "check_own"]

OWN = "tiny_conv"
# Channels of its maps, the finest first.
OWN_WIDTHS = (16, 32, 64, 128)


class WeightsError(ValueError):
    """Pretrained weights are absent, unreadable or of another network."""


class EncoderSpec(Spec):
    """Which encoder, from which weights.

    Attributes:
        backbone: a timm name (a tag after a dot chooses among hub weights), or "tiny_conv".
        weights: "none", "hub" (downloads through timm), "package:NAME" or "file:PATH".
        drop_path: rate of stochastic depth.
        final_norm: keep the norm that some encoders (ConvNeXt, MaxViT) apply to the last map.
        options: of timm, such as the `img_size`, `patch_size`, `embed_dim`, `depth` and
            `num_heads` of a transformer; they must fit the weights.
    """

    backbone: str
    weights: str = Field("none", pattern=r"^(none|hub|package:.+|file:.+)$")
    drop_path: float = Field(0.0, ge=0, lt=1)
    final_norm: bool = True
    options: Mapping[str, int | float | bool | str | tuple[int, ...]] = {}

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the options that came later: at their default, old encoders stay what they are."""
        return frozenset({"options"})


def check_own(spec: EncoderSpec, levels: tuple[int, ...]) -> None:
    """Check that `tiny_conv` can be what the settings ask for.

    Args:
        spec: settings, with this backbone.
        levels: maps that are wanted, the finest first.

    Raises:
        WeightsError: if pretrained weights are asked for.
        ValueError: if it has no such map.
    """
    if spec.weights != "none":
        raise WeightsError(f"{OWN} has no pretrained weights; found {spec.weights}, expected none")
    if levels[-1] >= len(OWN_WIDTHS):
        raise ValueError(f"{OWN} has the levels 0 to {len(OWN_WIDTHS) - 1}; found {levels}")
