"""Grade a disc level from crops of several planes: an encoder a view, or one for all of them.

Source: RSNA 2024 lumbar spine "dual view", whose trials differ in what this file can set: slices
stacked as channels of one image, a stem before larger views, an encoder for each plane, triplets of
slices, what is told of the level, a recurrent layer over the levels of a study, and which views a
grade is read from. Masks are ours. It does not know what the targets mean.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from overread.models.encoder_spec import EncoderSpec
from overread.models.shapes import StudyUnits, ViewShape, check_study_views

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Spec", "build", "check"]


class Spec(EncoderSpec):
    """Settings of the network; its own encoder settings are those of all that `encoders` leaves.

    Attributes:
        parts: "views", an encoder for each view; "stack", one for the slices of all views as
            channels of one image; or "both".
        encoders: {view: another encoder}.
        alike: groups of views that share an encoder, that of the first.
        stems: {view: channels}: a 3 x 3 convolution of stride 2 before the stack, for views of
            twice the size.
        images: slices of an image; 3 shows a view as triplets of slices, 0 as one image.
        width: of what becomes of a view.
        hidden: width of the layer before each head.
        dropout: before each head.
        reads: {target: views}: the head reads these; heads that are not named read all.
        code: how the level is told: not at all, as "one_hot", as a learnt "embedding" of `width`
            channels, or by networks of their "own" for each level.
        levels: how many sites there are, for `code`.
        recurrent: width of two bidirectional LSTM layers over the units of a study, which all heads
            then read; 0 = none. It needs `reads: study`.
    """

    parts: Literal["views", "stack", "both"] = "views"
    encoders: Mapping[str, EncoderSpec] = {}
    alike: tuple[tuple[str, ...], ...] = ()
    stems: Mapping[str, int] = {}
    images: int = Field(0, ge=0)
    width: int = Field(256, gt=0)
    hidden: int = Field(256, gt=0)
    dropout: float = Field(0.3, ge=0, lt=1)
    reads: Mapping[str, tuple[str, ...]] = {}
    code: Literal["none", "one_hot", "embedding", "own"] = "none"
    levels: int = Field(0, ge=0)
    recurrent: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.code == "none") != (self.levels == 0):
            raise ValueError(f"code: {self.code} and levels: {self.levels}: give both or neither")
        if self.stems and self.parts != "stack":
            raise ValueError("stems stand before the stack: set parts: stack")
        if self.recurrent and (self.reads or self.code == "own"):
            raise ValueError("recurrent: all heads read the same layer; drop reads and code: own")
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
        inputs: name and shape of each view, in the order of the channels of the stack.
        heads: {target: number of grades}.
        seed: of the weights that are not pretrained.
        units: given where it reads studies, unit by unit, or with a recurrent layer over them.

    Raises:
        ValueError: if settings name views or targets that there are not, or sizes do not fit.
    """
    check(spec, inputs=inputs, heads=heads, units=units)
    import torch

    from overread.models.view_network import view_network

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return view_network(spec, inputs, heads, units)


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
    read = [view for views in spec.reads.values() for view in views]
    named = [*spec.encoders, *spec.stems, *read, *(one for group in spec.alike for one in group)]
    if strange := sorted(set(named) - set(inputs)):
        raise ValueError(f"no views {strange} in this member; it has {', '.join(inputs)}")
    uneven = [view for view, one in inputs.items() if spec.images and one.slices % spec.images]
    if uneven and spec.parts != "stack":
        raise ValueError(f"views {uneven} have slices that are no multiple of {spec.images}")
    sizes = {
        view: (one.height // 2, one.width // 2) if view in spec.stems else (one.height, one.width)
        for view, one in inputs.items()
    }
    if spec.parts != "views" and len(set(sizes.values())) != 1:
        raise ValueError(
            f"slices that become channels must have one size in pixels; found {sizes} (behind "
            "stems): give the views the same `pixels`, or twice the size and a stem"
        )
    check_study_views(inputs, units)
    if spec.recurrent and (units is None or not all(one.by_unit for one in inputs.values())):
        raise ValueError(
            "recurrent runs over the units of a study; set reads: study and give views that are "
            "cut around the points of units"
        )
