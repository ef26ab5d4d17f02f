"""What counts as wrong: settings of the loss of grading networks; no tensors here."""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from overread.shelf import Spec

__all__ = ["LossSpec"]

Kind = Literal["cross_entropy", "focal", "hierarchical", "emd", "cumulative"]


class LossSpec(Spec):
    """What counts as wrong.

    Attributes:
        kind: of the main term, for each target:
            "cross_entropy".
            "focal": cross entropy times (1 - p)^gamma of the true grade (Lin et al. 2017).
            "hierarchical": cross entropy times how far the likeliest grade is from the label.
            "emd": squared earth mover's distance between grades (Hou et al. 2016).
            "cumulative": binary cross entropy of "worse than grade k", for each k.
        gamma: of "focal".
        margin: angle, in radians, by which the true grade must win (ArcFace); for networks with
            cosine heads, who give it in training alone. 0 = none.
        class_weights: of the grades: the rubric's, none, or one for each grade of every target.
        target_weights: {target: factor}; 1 where not named.
        overall: factor on the main term.
        distances: [predicted][true] factors of "hierarchical"; None = 2 where two grades lie
            between or beyond (normal against severe), else 1.
        smoothing: share of each label that is spread over all grades.
        spread: standard deviation, in grades, by which labels of ordered targets are spread over
            the neighbouring grades; 0 = not at all.
        f1: factor on the soft F1 term, 1 minus the mean over grades of F1 of soft counts; with
            `overall: 0` it is the whole loss, with 1 "cross entropy + F1".
        level: factor on the term for the network's "level" head.
        slices: factor on the term for its "slices" heads.
        slice_class_weights: of the grades in that term; None = `class_weights`.
        severe: factor on -ln p(worst grade), the mean over the batch where that is the label.
        severe_targets: targets of that term.
        any_worst: {target: factor} on the binary cross entropy of "some unit of the study has the
            worst grade", whose chance is the largest of the units' chances; studies weigh as much
            as their heaviest unit. For members that read studies.
        any_worst_temperature: the largest chance is taken softly: as the mean of the chances, each
            weighed by the softmax of chance / temperature; 0 = the largest itself.
        as_published: divide by the number of labels, not by the sum of their class weights, which
            is what the published system did for soft labels (and not for hard ones).
    """

    kind: Kind = "cross_entropy"
    gamma: float = Field(2.0, ge=0)
    margin: float = Field(0.0, ge=0, lt=math.pi / 2)
    class_weights: Literal["rubric", "none"] | tuple[float, ...] = "rubric"
    target_weights: Mapping[str, float] = {}
    overall: float = Field(1.0, ge=0)
    distances: tuple[tuple[float, ...], ...] | None = None
    smoothing: float = Field(0.0, ge=0, lt=1)
    spread: float = Field(0.0, ge=0)
    f1: float = Field(0.0, ge=0)
    level: float = Field(0.0, ge=0)
    slices: float = Field(0.0, ge=0)
    slice_class_weights: tuple[float, ...] | None = None
    severe: float = Field(0.0, ge=0)
    severe_targets: tuple[str, ...] = ()
    any_worst: Mapping[str, float] = {}
    any_worst_temperature: float = Field(0.0, ge=0)
    as_published: bool = False

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the options that came later: at their default, old fits stay what they are."""
        return frozenset({"gamma", "margin", "f1", "any_worst", "any_worst_temperature"})
