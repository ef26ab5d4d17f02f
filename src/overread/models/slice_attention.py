"""Grade a unit from the slices of several views: 2-D encoder, pooling, one attention block, heads.

Source: RSNA 2024 lumbar spine, 3rd place; its architectures A, B and C are presets. Masks, the
shared encoder, plane embeddings and positions in mm are ours. It does not know what targets mean.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from overread.models.encoder_spec import EncoderSpec
from overread.models.shapes import StudyUnits, ViewShape, check_study_views

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ARCHITECTURES", "Spec", "build", "check"]

_PUBLISHED: dict[str, Any] = {
    "shared": False,
    "pool": "gem",
    "mixer": "transformer",
    "attention_heads": 8,
    "hidden": 512,
    "width": None,
    "gate_divisor": 128,
    "plane_embedding": False,
    "position": "none",
    "dropouts": (0.1, 0.2, 0.3, 0.4, 0.5),
    "drop_path": 0.2,
    "final_norm": False,
}
# The three architectures of the RSNA 2024 lumbar 3rd-place system.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "A": {**_PUBLISHED, "head": "mean", "slice_heads": False},
    "B": {**_PUBLISHED, "head": "gated", "slice_heads": False},
    "C": {**_PUBLISHED, "head": "gated", "slice_heads": True},
}


class Spec(EncoderSpec):
    """Settings of the network.

    Attributes:
        preset: a published architecture, A, B or C; settings that stand beside it win.
        shared: one encoder for all views (they must have as many channels), or one for each view.
        pool: how a map becomes a token.
        mixer: one transformer block over the tokens, or none.
        attention_heads: of the block.
        hidden: width of the block's inner layer.
        width: tokens are projected to this width first; None keeps the encoder's.
        head: "mean" of the tokens, or tokens "gated" for each target before the mean.
        gate_divisor: the gate's inner layer has D / gate_divisor channels, 4 at least (with fewer
            its ReLU dies now and then).
        slice_heads: also grade each slice (for the slice loss).
        levels: also tell which of so many sites the unit is (for the level loss); 0 = do not.
        plane_embedding: a learnt vector tells tokens which view they come from.
        position: how tokens learn their offset in mm.
        dropouts: rates of multi-sample dropout before each linear head; empty = none.
        heads: "linear", or "cosine": logits are `scale` times the cosine between token and grade,
            for a loss with a margin.
        scale: of cosine heads.
    """

    preset: Literal["A", "B", "C"] | None = None
    shared: bool = False
    pool: Literal["gem", "average"] = "gem"
    mixer: Literal["transformer", "none"] = "transformer"
    attention_heads: int = Field(8, gt=0)
    hidden: int = Field(512, gt=0)
    width: int | None = Field(None, gt=0)
    head: Literal["mean", "gated"] = "mean"
    gate_divisor: int = Field(128, gt=0)
    slice_heads: bool = False
    levels: int = Field(0, ge=0)
    plane_embedding: bool = False
    position: Literal["none", "sinusoidal", "learnt"] = "none"
    dropouts: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    heads: Literal["linear", "cosine"] = "linear"
    scale: float = Field(30.0, gt=0)

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the options that came later: at their default, old networks stay what they are."""
        return super().neutral() | {"heads", "scale", "preset"}

    @model_validator(mode="before")
    @classmethod
    def _lay_preset(cls, values: Any) -> Any:
        known = ARCHITECTURES.get(str(values.get("preset"))) if isinstance(values, dict) else None
        return {**known, **values} if known else values


def build(
    spec: Spec,
    *,
    inputs: Mapping[str, ViewShape],
    heads: Mapping[str, int],
    seed: int,
    units: StudyUnits | None = None,
) -> "nn.Module":
    """Build the network for these views and targets.

    Args:
        spec: settings.
        inputs: name and shape of each view, in the order of the tokens.
        heads: {target: number of grades}.
        seed: of the weights that are not pretrained.
        units: given where it reads studies: it answers for each unit; see `studies`.

    Raises:
        ValueError: if views do not fit a shared encoder, or channels do not divide into heads.
    """
    check(spec, inputs=inputs, heads=heads, units=units)
    import torch

    from overread.models.slice_network import SliceAttention
    from overread.models.studies import read_studies

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return read_studies(partial(SliceAttention, spec, inputs), inputs, heads, units)


def check(
    spec: Spec,
    *,
    inputs: Mapping[str, ViewShape],
    heads: Mapping[str, int],
    units: StudyUnits | None = None,
) -> None:
    """Check that views and targets fit the settings; nothing is built.

    Args:
        spec: settings.
        inputs: name and shape of each view.
        heads: {target: number of grades}.
        units: where it reads studies.

    Raises:
        ValueError: if they do not.
    """
    if not inputs or not heads:
        raise ValueError(f"a network needs views and targets; found {dict(inputs)}, {dict(heads)}")
    channels = {view: shape.channels for view, shape in inputs.items()}
    if spec.shared and len(set(channels.values())) != 1:
        raise ValueError(f"a shared encoder needs views of as many channels; found {channels}")
    check_study_views(inputs, units)
