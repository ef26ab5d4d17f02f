"""What a member is: one grading network, its views, targets and training.

Pixels and weights are not known here.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from overread.imaging import AugmentSpec, ViewSpec
from overread.inference.locator import check_folds
from overread.inference.marks import MarkSpec
from overread.inference.offsets import Beyond, head_names, offset_rubric
from overread.learning import FitSpec, LossSpec
from overread.models import StudyUnits, ViewShape
from overread.models.sequence import EMBEDDING, LOGITS
from overread.records import RecordError, Rubric
from overread.shelf import Named, Spec, settings_of

if TYPE_CHECKING:
    from torch import nn

    from overread.learning import Loss

__all__ = [
    "EmbedSpec",
    "MemberSpec",
    "asked_targets",
    "embed_shapes",
    "member_heads",
    "member_loss",
    "member_network",
    "units_at_once",
    "view_shapes",
]


class EmbedSpec(Spec):
    """What a network reads of another member: what its networks made of each unit, out of fold.

    Attributes:
        width: of its embedding: of the vector that its heads read.
        networks: how many it has: one for each fold of the recipe.
    """

    width: int = Field(ge=1)
    networks: int = Field(ge=1)


class MemberSpec(Spec):
    """Settings of one member.

    Attributes:
        views: names of the views that the network sees.
        embeds: {member: how wide} whose embeddings and answers the network reads instead of views;
            they answer the same targets as it does. For `reads: study` and `model: sequence`.
        reads: what the network sees at once and answers for.
            "unit": a unit.
            "study": all units of a study. Views that are cut once for a study come as one crop, the
            others as one for each unit; it answers (units, grades) for each target. Tables of
            answers are the same.
        targets: that it answers; None = all of the rubric.
        mirror: what is done about left and right.
            "none": nothing.
            "average": the answer is the mean of f(x) and swap(f(mirror(x))).
            "shared": the network answers for one side and for targets without sides; the other
            side is its answer on the mirrored input, so both sides share all weights.
            With either of the last two a mirrored study gives exactly swapped grades.
        model, fit, augment, loss: the network and its training; `augment.mirror` is the chance
            that a unit is mirrored (with labels swapped), with `mirror: shared` it is one half.
        labels: "truth", or a set of pseudo-labels of the recipe, which fill what is not graded.
        folds: those that networks are trained for; None = all. Subjects of other folds get no
            answer.
        new: the folds whose networks answer for new studies; None = all that are trained.
        seed: of the training; None = the recipe's.
        flip: views of which the network is also asked with columns turned; its logits for both are
            averaged.
        marks: {target: where it was marked}, for `loss.slices`: the slices that hold a marked point
            learn the unit's label.
        balance: targets whose combinations of grades are drawn equally often in training; none =
            each unit comes once an epoch.
        offsets: of units that are slices: the network answers for the slices at these offsets along
            the scan (positive to the head); all that is said of a slice is averaged.
        beyond: what is said of slices beyond the ends of a scan is dropped, or counts for the
            nearest one; so do their labels.
        batch: units at once when predicting.
    """

    views: tuple[str, ...] = ()
    embeds: Mapping[str, EmbedSpec] = {}
    reads: Literal["unit", "study"] = "unit"
    targets: tuple[str, ...] | None = None
    mirror: Literal["none", "average", "shared"] = "average"
    model: Named = Named(use="slice_attention")
    fit: FitSpec = FitSpec()
    augment: AugmentSpec = AugmentSpec()
    loss: LossSpec = LossSpec()
    labels: str = "truth"
    folds: tuple[int, ...] | None = None
    new: tuple[int, ...] | None = None
    seed: int | None = Field(default=None, ge=0)
    flip: tuple[str, ...] = ()
    balance: tuple[str, ...] = ()
    marks: Mapping[str, MarkSpec] = {}
    offsets: tuple[int, ...] = (0,)
    beyond: Beyond = "drop"
    batch: int = Field(default=8, ge=1)

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the fields that came later and change nothing at their default."""
        later = ("labels", "folds", "new", "seed", "flip", "balance", "marks", "offsets", "beyond")
        return frozenset({"reads", "embeds", *later})

    @classmethod
    def speed(cls) -> frozenset[str]:
        """Return the fields that leave the result alone."""
        return frozenset({"batch"})

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what the network is given: views, or "{member}:embedding" and ":logits"."""
        read = [f"{name}{kind}" for name in self.embeds for kind in (EMBEDDING, LOGITS)]
        return (*self.views, *read)

    @property
    def mirror_chance(self) -> float:
        """How likely a unit is given mirrored in training."""
        if self.embeds:
            return 0.0
        return 0.5 if self.mirror == "shared" else self.augment.mirror

    @model_validator(mode="after")
    def _agree(self) -> "MemberSpec":
        if bool(self.views) == bool(self.embeds) or len(set(self.views)) != len(self.views):
            raise RecordError(
                f"a member needs views, each once, or embeds; found views {self.views} and embeds "
                f"of {list(self.embeds)}"
            )
        if self.embeds and (self.reads != "study" or self.mirror != "none"):
            raise RecordError(
                f"embeds: a network of embeddings reads studies and cannot mirror them; found "
                f"reads: {self.reads}, mirror: {self.mirror}; set reads: study and mirror: none"
            )
        if strange := [name for name in self.flip if name not in self.views]:
            raise RecordError(f"flip: {strange} are not among the member's views {self.views}")
        if self.loss.slices and not self.marks:
            raise RecordError("loss.slices needs `marks`: which points mark the slices of a target")
        if 0 not in self.offsets or len(set(self.offsets)) != len(self.offsets):
            raise RecordError(f"offsets need 0, the slice itself, each once; found {self.offsets}")
        if self.reads == "study":
            self._check_study()
        elif self.loss.any_worst:
            raise RecordError("loss.any_worst is about whole studies: set reads: study")
        check_folds(self.folds, self.new)
        return self

    def _check_study(self) -> None:
        alone: list[str] = [
            name for name in ("balance", "marks", "offsets") if name in self.identity()
        ]
        alone += ["loss.level"] if self.loss.level else []
        if alone:
            raise RecordError(
                f"{', '.join(alone)}: of members that read units one by one; leave it out, or set "
                "reads: unit"
            )


def asked_targets(rubric: Rubric, member: MemberSpec) -> tuple[str, ...]:
    """Return the targets that the member answers, in the rubric's order.

    Raises:
        RecordError: if the rubric has no such target, or one side of a pair is missing where the
            member mirrors.
    """
    wanted = member.targets if member.targets is not None else rubric.names
    if unknown := [name for name in wanted if name not in rubric.names]:
        raise RecordError(
            f"targets {unknown} are not in rubric {rubric.name}; it has {', '.join(rubric.names)}"
        )
    if member.mirror != "none":
        alone = [name for name in wanted if rubric.partner(name) not in wanted]
        if alone:
            raise RecordError(
                f"mirror: {member.mirror} needs both sides; the partners of {alone} are not among "
                f"the member's targets: add them or set mirror: none"
            )
    return tuple(name for name in rubric.names if name in wanted)


def member_heads(rubric: Rubric, member: MemberSpec) -> dict[str, int]:
    """Return {target: number of grades} of the network's heads.

    With `mirror: shared` only the first of each pair has a head.
    """
    names = asked_targets(rubric, member)
    if member.mirror == "shared":
        order = {name: number for number, name in enumerate(names)}
        names = tuple(name for name in names if order[name] <= order[rubric.partner(name)])
    grades = {name: len(rubric.target(name).grades) for name in names}
    heads = head_names(names, member.offsets)
    return {head: grades[head.partition("@")[0]] for head in heads}


def member_loss(member: MemberSpec, rubric: Rubric) -> "Loss":
    """Return what counts as wrong in all heads of a member; weights of a target hold for each."""
    from overread.learning import grading_loss

    if member.offsets == (0,):
        return grading_loss(member.loss, rubric)
    weights = {
        head: factor
        for name, factor in member.loss.target_weights.items()
        for head in head_names((name,), member.offsets)
    }
    spec = member.loss.model_copy(update={"target_weights": weights})
    return grading_loss(spec, offset_rubric(rubric, member.offsets))


def view_shapes(member: MemberSpec, views: Mapping[str, ViewSpec]) -> dict[str, ViewShape]:
    """Return the input shape of each view of the member.

    Raises:
        RecordError: if the recipe has no such view.
    """
    if unknown := [name for name in member.views if name not in views]:
        raise RecordError(f"views {unknown} are not in the recipe; it has {', '.join(views)}")
    return {
        name: ViewShape(
            slices=views[name].slices.count,
            channels=views[name].depth,
            height=views[name].pixels[0],
            width=views[name].pixels[1],
            by_unit=member.reads == "study" and views[name].by_unit,
        )
        for name in member.views
    }


def embed_shapes(member: MemberSpec, heads: Mapping[str, int]) -> dict[str, ViewShape]:
    """Return the input shape of what a member reads of others: a slice for each network."""
    odds = sum(grades - 1 for grades in heads.values())
    return {
        f"{name}{kind}": ViewShape(one.networks, 1, 1, width, by_unit=True)
        for name, one in member.embeds.items()
        for kind, width in ((EMBEDDING, one.width), (LOGITS, odds))
    }


def member_network(
    member: MemberSpec, views: Mapping[str, ViewSpec], rubric: Rubric, *, seed: int
) -> "nn.Module":
    """Return an untrained network for this member: batch -> {"logits.{target}": (B, grades)}.

    One that reads studies gives (B, units, grades).
    """
    module, settings = settings_of("overread.models", member.model)
    units = units_at_once(rubric, member)
    heads = member_heads(rubric, member)
    network: nn.Module = module.build(
        settings,
        inputs={**view_shapes(member, views), **embed_shapes(member, heads)},
        heads=heads,
        seed=seed,
        **({} if units is None else {"units": units}),
    )
    return network


def units_at_once(rubric: Rubric, member: MemberSpec) -> StudyUnits | None:
    """Return which units a network that reads studies answers for; None if it reads units."""
    if member.reads == "unit":
        return None
    always = {"site": len(rubric.sites), "slice": None}
    return StudyUnits(always.get(rubric.unit, 1))
