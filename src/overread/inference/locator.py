"""What a locator is: settings that training and serving share.

A locator finds named points on a few slices of a study. Networks are not known here, so that plans
need none.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from overread.imaging import AugmentSpec, ChainSpec, CountSpec, plane_of
from overread.learning import FitSpec, FoldSpec
from overread.records import RecordError
from overread.shelf import Named, Spec

if TYPE_CHECKING:
    from overread.inference.canvas import Canvas

# The maps of counted points, and the class of images that lie upside down.
MAPS = ("middle", "front", "back", "first")
UPSIDE_DOWN = "upside_down"

__all__ = [
    "MAPS",
    "UPSIDE_DOWN",
    "DecodeSpec",
    "HeatSpec",
    "LocatorSpec",
    "check_folds",
    "order_locators",
]


class HeatSpec(Spec):
    """The maps that a locator learns.

    Attributes:
        radius: of the Gaussian around a true point, cells of the map; sigma is (2 radius + 1) / 6.
        alpha, gamma: of the focal loss.
    """

    radius: int = Field(default=6, ge=1)
    alpha: float = 0.25
    gamma: float = 2.0


class DecodeSpec(Spec):
    """How a map becomes a point.

    Attributes:
        method: "softargmax" (sub-pixel centre of the highest blob) or "box" (middle of all cells
            above a percentile, as published).
        min_confidence: points below are left out.
        implausible: what is done with points that break the chain: "keep" with half the
            confidence, "drop", or "mend": put between their plausible neighbours, with half the
            confidence; without neighbours on both sides they are kept.
    """

    method: Literal["softargmax", "box"] = "softargmax"
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    implausible: Literal["keep", "drop", "mend"] = "mend"


class LocatorSpec(Spec):
    """Settings of one locator.

    Attributes:
        series: roles, the preferred first.
        take: "first" uses the first series of the first role that the study has; "all" every series
            of the roles, their points averaged in world mm by confidence.
        learn: "all" trains on every series of the roles (more images), "first" on the one that will
            be looked at.
        points: names, in the order of the chain (head to feet).
        truth: name of the dataset's set of true points; None = the name of the locator.
        around: another locator, whose points are called like these: one image for each point, on
            the slices that belong to it, and one map that is the same question for all.
        nearest: with `around`, how many slices, nearest to the point, are looked at.
        neighbours: slices on either side of a slice, as further channels.
        pixels, size_mm, percentiles, aspect, shading: of the input image (see Canvas).
        centred: with `around`, the input is centred on the other locator's point.
        flip: answers for the mirrored image are turned back and averaged in; left-right on axial
            slices. It makes a mirrored study give mirrored points.
        decode, chain, heat: maps to points, which points are plausible, points to maps.
        absent: what it means that a study with true points lacks one: "unknown" (not taught), or
            "empty" (the map must stay empty).
        counted: the points are like things of unknown number, named from the first (lowest)
            upwards; the truth may hold their ends. None = each point has its own map.
        turned: share of training images that are turned upside down; the network then tells such
            images (a class of its model), and they are turned before they are read. 0 = never.
        repeat: how often an image with true points stands among the examples.
        generations: rounds of training; from the second on, studies without true points are
            trained on the plausible points that the round before found out of fold.
        trust: confidence that such a point needs at least.
        later: how the second and later generations are trained; None = like the first. They start
            from the weights of the generation before.
        taught_by: another locator: studies without true points are trained on the plausible points
            that it found, as those of an earlier generation that has settings of its own.
        also: external datasets of the recipe; all their studies with points are trained on, in
            every fold.
        of: other locators, whose maps are averaged in place of a network's own. They look at the
            same images; some may look at fewer neighbours.
        split: folds of its own, by subject; None = those of the recipe.
        folds: those that networks are trained for; None = all. Studies of a fold without a network
            are looked at by networks that have seen them, which the report says.
        new: the folds whose networks look at new studies; None = all that are trained.
        seed: of the training; None = the recipe's.
        model, fit, augment: the network and its training.
    """

    series: tuple[str, ...]
    take: Literal["first", "all"] = "first"
    learn: Literal["first", "all"] = "all"
    points: tuple[str, ...]
    truth: str | None = None
    around: str | None = None
    nearest: int = Field(default=1, ge=1)
    neighbours: int = Field(default=0, ge=0)
    pixels: tuple[int, int] = (256, 256)
    size_mm: tuple[float, float] | None = None
    percentiles: tuple[float, float] = (0.1, 99.9)
    aspect: Literal["keep", "stretch"] = "keep"
    shading: bool = False
    centred: bool = False
    flip: bool = True
    decode: DecodeSpec = DecodeSpec()
    chain: ChainSpec | None = None
    heat: HeatSpec = HeatSpec()
    absent: Literal["unknown", "empty"] = "unknown"
    counted: CountSpec | None = None
    turned: float = Field(default=0.0, ge=0, le=0.5)
    repeat: int = Field(default=1, ge=1)
    generations: int = Field(default=1, ge=1)
    trust: float = Field(default=0.5, ge=0, le=1)
    later: FitSpec | None = None
    taught_by: str | None = None
    also: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    split: FoldSpec | None = None
    folds: tuple[int, ...] | None = None
    new: tuple[int, ...] | None = None
    seed: int | None = Field(default=None, ge=0)
    model: Named = Named(use="heatmap")
    fit: FitSpec = FitSpec()
    augment: AugmentSpec = AugmentSpec()

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the fields that came later and change nothing at their default."""
        return frozenset({"taught_by", "also", "of", "split", "folds", "new", "seed"})

    @model_validator(mode="after")
    def _agree(self) -> "LocatorSpec":
        if not self.series or not self.points:
            raise RecordError("a locator needs a series role and a point at least")
        if len(set(self.points)) != len(self.points):
            raise RecordError(f"point names are not unique: {self.points}")
        if self.counted is not None and self.around is not None:
            raise RecordError("`counted` points are found on whole images, without `around`")
        if self.turned and self.counted is None:
            raise RecordError("`turned` needs `counted` points")
        if self.centred and self.around is None:
            raise RecordError("`centred` needs `around`: the locator on whose points to centre")
        if self.taught_by is not None and self.generations > 1:
            raise RecordError("`taught_by` is an earlier generation: leave `generations` at 1")
        if self.of and (self.counted is not None or self.generations > 1 or self.taught_by):
            raise RecordError("a locator `of` others learns nothing and counts nothing itself")
        check_folds(self.folds, self.new)
        return self

    @property
    def needs(self) -> set[str]:
        """The locators that come before this one."""
        return {*self.of, *filter(None, (self.around, self.taught_by))}

    @property
    def canvas(self) -> "Canvas":
        """What an input image looks like."""
        from overread.inference.canvas import Canvas

        return Canvas(
            plane_of(self.series[0]),
            self.pixels,
            self.size_mm,
            self.percentiles,
            self.aspect,
            self.shading,
        )

    @property
    def maps(self) -> int:
        """Number of maps of the network: one a point, or one for all with `around`."""
        if self.counted is not None:
            return len(MAPS)
        return 1 if self.around else len(self.points)

    @property
    def channels(self) -> int:
        """Number of channels of an input image."""
        return 2 * self.neighbours + 1


def check_folds(trained: Sequence[int] | None, new: Sequence[int] | None) -> None:
    """Refuse folds that stand twice, and new ones that are not trained.

    Raises:
        RecordError: naming what was found.
    """
    for folds in (trained, new):
        if folds is not None and (not folds or len(set(folds)) != len(folds) or min(folds) < 0):
            raise RecordError(f"folds must be different numbers from 0, found {list(folds)}")
    if trained is not None and set(new or ()) - set(trained):
        raise RecordError(f"new: {list(new or ())} must be among the trained {list(trained)}")


def order_locators(locators: Mapping[str, LocatorSpec]) -> Sequence[str]:
    """Return the names so that each comes after those that it looks around or is made from.

    Raises:
        RecordError: if a name is unknown or locators wait for each other.
    """
    done: list[str] = []
    waiting = dict(locators)
    while waiting:
        ready = [name for name, spec in waiting.items() if spec.needs <= set(done)]
        if not ready:
            needs = {name: sorted(spec.needs) for name, spec in waiting.items()}
            raise RecordError(f"locators wait for unknown ones or for each other: {needs}")
        done += ready
        waiting = {name: spec for name, spec in waiting.items() if name not in ready}
    return done
