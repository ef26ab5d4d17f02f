"""What a member is: one grading network, its views, targets and training.

Pixels and weights are not known here.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator
from torch import nn

from overread.imaging import AugmentSpec, ViewSpec
from overread.inference.locator import check_folds
from overread.inference.marks import MarkSpec
from overread.learning import FitSpec, LossSpec
from overread.models import ViewShape
from overread.records import RecordError, Rubric
from overread.shelf import Named, Spec, settings_of

__all__ = ["MemberSpec", "asked_targets", "member_heads", "member_network", "view_shapes"]


class MemberSpec(Spec):
    """Settings of one member.

    Attributes:
        views: names of the views that the network sees.
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
        batch: units at once when predicting.
    """

    views: tuple[str, ...]
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
    batch: int = Field(default=8, ge=1)

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the fields that came later and change nothing at their default."""
        return frozenset({"labels", "folds", "new", "seed", "flip", "balance", "marks"})

    @classmethod
    def speed(cls) -> frozenset[str]:
        """Return the fields that leave the result alone."""
        return frozenset({"batch"})

    @property
    def mirror_chance(self) -> float:
        """How likely a unit is given mirrored in training."""
        return 0.5 if self.mirror == "shared" else self.augment.mirror

    @model_validator(mode="after")
    def _agree(self) -> "MemberSpec":
        if not self.views or len(set(self.views)) != len(self.views):
            raise RecordError(f"a member needs views, each once; found {self.views}")
        if strange := [name for name in self.flip if name not in self.views]:
            raise RecordError(f"flip: {strange} are not among the member's views {self.views}")
        if self.loss.slices and not self.marks:
            raise RecordError("loss.slices needs `marks`: which points mark the slices of a target")
        check_folds(self.folds, self.new)
        return self


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
    return {name: len(rubric.target(name).grades) for name in names}


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
        )
        for name in member.views
    }


def member_network(
    member: MemberSpec, views: Mapping[str, ViewSpec], rubric: Rubric, *, seed: int
) -> nn.Module:
    """Return an untrained network for this member: batch -> {"logits.{target}": (B, grades)}."""
    module, settings = settings_of("overread.models", member.model)
    network: nn.Module = module.build(
        settings,
        inputs=view_shapes(member, views),
        heads=member_heads(rubric, member),
        seed=seed,
    )
    return network
