"""Grade a unit from all its slices at once: slices and windows become channels of one image.

Sources: RSNA 2019 head CT, 3rd place (a slice and its neighbours, SE-ResNeXt, a squeeze-excitation
gate on the pooled vector); RSNA 2024 lumbar "stack-40" (forty slices of a study, two convolutions
before the pooling). What is missing is a channel of zeros, and `tell_missing` adds one channel a
slice that says so, which is ours. It does not know what the targets mean.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from overread.models.encoder_spec import EncoderSpec
from overread.models.shapes import StudyUnits, ViewShape, check_study_views

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Spec", "build", "check"]


class Spec(EncoderSpec):
    """Settings of the network.

    Attributes:
        pool: how the last map becomes a vector: its mean, GeM, or mean and maximum side by side.
        convolutions: widths of 3 x 3 convolutions (with batch norm and ReLU) before the pooling.
        gate: reduction of a squeeze-excitation gate on the pooled vector; 0 = none.
        dropouts: rates of multi-sample dropout before each linear head; empty = none.
        tell_missing: give the network a channel for each slice that is 1 where the slice is there.
        scale, shift: of pixels from 0 to 1, channel by channel, as pretrained or imported weights
            want them; empty = pixels from -1 to 1.
        centred: each channel less its own mean.
        highest: {target: others}, all of two grades: a target without a head of its own, whose
            logits are those of the likeliest of the others.
    """

    pool: Literal["average", "gem", "concat"] = "average"
    convolutions: tuple[int, ...] = ()
    gate: int = Field(0, ge=0)
    dropouts: tuple[float, ...] = (0.5,)
    tell_missing: bool = False
    scale: tuple[float, ...] = ()
    shift: tuple[float, ...] = ()
    centred: bool = False
    highest: Mapping[str, tuple[str, ...]] = {}

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the options that came later: at their default, old networks stay what they are."""
        return super().neutral() | {"scale", "shift", "centred", "highest"}

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(self.scale) != len(self.shift):
            raise ValueError(
                f"scale and shift need a number for each channel; found {self.scale} and "
                f"{self.shift}"
            )
        return self


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
        inputs: name and shape of each view, in the order of the channels; one size for all.
        heads: {target: number of grades}.
        seed: of the weights that are not pretrained.
        units: given where it reads studies: it answers for each unit; see `studies`.

    Raises:
        ValueError: if there is no view or target, views differ in height or width, `scale` has
            another number of channels, or `highest` names targets that are not there.
    """
    check(spec, inputs=inputs, heads=heads, units=units)
    import torch

    from overread.models.stack_network import StackChannels
    from overread.models.studies import read_studies

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return read_studies(partial(StackChannels, spec, inputs), inputs, heads, units)


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
    del spec
    if not inputs or not heads:
        raise ValueError(f"a network needs views and targets; found {dict(inputs)}, {dict(heads)}")
    sizes = {view: (shape.height, shape.width) for view, shape in inputs.items()}
    if len(set(sizes.values())) != 1:
        raise ValueError(
            f"slices that become channels must have one size in pixels; found {sizes}: give the "
            "views the same `pixels`"
        )
    check_study_views(inputs, units)
