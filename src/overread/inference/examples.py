"""What a grading network is trained and asked on: crops and labels of units, batch by batch.

The loop, the loss and the disk are not known here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from overread.imaging import Arrays, ViewSpec, centre, collate, mirror, tensors
from overread.inference.cuts import StudyCuts
from overread.inference.marks import Points, marked_slots
from overread.inference.member import MemberSpec, asked_targets, member_heads
from overread.inference.offsets import offset_labels, partner_head, scan_numbers
from overread.records import Labels, RecordError, Rubric

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["MemberExamples", "UnitLabels", "member_examples", "unit_labels"]


@dataclass(frozen=True, eq=False)
class UnitLabels:
    """Labels of n units as arrays.

    Attributes:
        probabilities: {target: (n, grades)}; zeros where not graded.
        weight: {target: (n,)}; 0 where not graded.
    """

    probabilities: Mapping[str, NDArray[np.float32]]
    weight: Mapping[str, NDArray[np.float32]]


def unit_labels(labels: Labels, rubric: Rubric, units: Sequence[str]) -> UnitLabels:
    """Return the labels of these units, in this order, of all targets of the rubric."""
    row = {unit: index for index, unit in enumerate(units)}
    probabilities = {
        target.name: np.zeros((len(units), len(target.grades)), np.float32)
        for target in rubric.targets
    }
    weight = {name: np.zeros(len(units), np.float32) for name in rubric.names}
    known = labels.known().frame.select("unit", "target", "probabilities", "weight")
    for unit, target, values, heaviness in known.iter_rows():
        if unit in row and target in probabilities:
            probabilities[target][row[unit]] = values
            weight[target][row[unit]] = heaviness
    return UnitLabels(probabilities, weight)


@dataclass(frozen=True, eq=False)
class MemberExamples:
    """Units of one member. With a generator a batch is augmented, without one it is centred.

    Attributes:
        member, views, rubric: the recipe.
        cuts: {view: crops of studies}; the views agree on studies and units.
        rows: (n, 2) number of the study in `cuts`, and of the unit in the study.
        sites: (n,) number of the unit's site, 0 without sites.
        labels: of the n units; None for new studies.
        turned: all units are given mirrored (for `mirror: average` and `shared`).
        flipped: columns of the views in `member.flip` are reversed, and nothing else.
        marks: {view: (units, slots, targets) of each study}, the slices that were marked; empty
            without labels of slices.
    """

    member: MemberSpec
    views: Mapping[str, ViewSpec]
    rubric: Rubric
    cuts: Mapping[str, Sequence[StudyCuts]]
    rows: NDArray[np.int64]
    sites: NDArray[np.int64]
    labels: UnitLabels | None = None
    turned: bool = False
    flipped: bool = False
    marks: Mapping[str, Sequence[NDArray[np.float32]]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.rows)

    @property
    def units(self) -> tuple[str, ...]:
        """Ids of the units, in order."""
        first = self.cuts[self.member.inputs[0]]
        return tuple(first[study].units[unit] for study, unit in self.rows)

    @property
    def scans(self) -> NDArray[np.int64]:
        """(n,) number of the scan that each unit is a slice of."""
        first = self.cuts[self.member.inputs[0]]
        sites = [first[study].sites[unit] for study, unit in self.rows]
        return scan_numbers(self.rows[:, 0].tolist(), sites)

    def mirrored(self) -> "MemberExamples":
        """Return the same units with left and right exchanged."""
        return replace(self, turned=not self.turned)

    def with_columns_reversed(self) -> "MemberExamples":
        """Return the same units with the columns of the views in `member.flip` reversed."""
        return replace(self, flipped=not self.flipped)

    def of_units(self, answers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the rows of answers (n, ...) as rows of units, which they are."""
        return answers

    def take(self, indices: Sequence[int]) -> "MemberExamples":
        """Return some of the units."""
        index = np.asarray(indices, np.int64)
        labels = self.labels and UnitLabels(
            {name: value[index] for name, value in self.labels.probabilities.items()},
            {name: value[index] for name, value in self.labels.weight.items()},
        )
        return replace(self, rows=self.rows[index], sites=self.sites[index], labels=labels)

    def shares(self) -> list[float] | None:
        """Return how often each unit is to be drawn so that the member's classes are balanced.

        A class is a combination of the likeliest grades of the targets of `member.balance`; units
        that lack a label of one of them make up a class of their own. None = no balance is asked.
        """
        if self.labels is None or not self.member.balance:
            return None
        grades = [
            np.where(self.labels.weight[name] > 0, self.labels.probabilities[name].argmax(1), -1)
            for name in self.member.balance
        ]
        _, index, counts = np.unique(
            np.stack(grades), axis=1, return_inverse=True, return_counts=True
        )
        return [float(share) for share in 1 / counts[index.ravel()]]

    def batch(
        self, indices: Sequence[int], *, generator: "torch.Generator | None"
    ) -> "dict[str, Tensor]":
        """Return the inputs and, where known, the labels of some units.

        Args:
            indices: which units.
            generator: given for training: units are mirrored by chance and augmented.

        Returns:
            "{view}" (B, S, C, H, W), "{view}.mask", "{view}.offsets" (B, S), "site" (B,),
            "target.{name}" (B, grades) and "weight.{name}" (B,) of the network's heads; with marks
            also "slice_target.{name}" (B, slots of all views, grades) and "slice_weight.{name}".
        """
        if generator is None:
            return tensors(self.arrays(indices))
        flipped = self.flips(len(indices), generator)
        asked = dict.fromkeys(self.member.inputs, (indices, flipped))
        batch = self.varied(asked, generator)
        return batch | tensors(self._beside(indices, flipped, batch))

    def arrays(self, indices: Sequence[int]) -> Arrays:
        """Return what `batch` gives without a generator, for networks that do not run in torch."""
        flipped = self.flips(len(indices), None)
        batch = self.images(dict.fromkeys(self.member.inputs, (indices, flipped)))
        return batch | self._beside(indices, flipped, batch)

    def _beside(
        self, indices: Sequence[int], flipped: NDArray[np.bool_], batch: "dict[str, Any]"
    ) -> Arrays:
        """Return sites and labels; takes the marks out of the batch of images."""
        targets = self.targets(indices, flipped)
        slices = self._slice_targets(batch, targets, flipped)
        return {"site": self.sites[list(indices)], **targets, **slices}

    def images(self, asked: Mapping[str, tuple[Sequence[int], NDArray[np.bool_]]]) -> Arrays:
        """Return what networks see of some units.

        Args:
            asked: {view: (units, for each whether it is given mirrored)}; what other members made
                of units stands beside views, and is neither mirrored nor varied.
        """
        batch = centre(self._all_stored(asked), self._views_of(asked))
        if self.flipped:
            batch |= {name: batch[name][..., ::-1].copy() for name in self.member.flip}
        return batch

    def varied(
        self,
        asked: Mapping[str, tuple[Sequence[int], NDArray[np.bool_]]],
        generator: "torch.Generator",
    ) -> "dict[str, Tensor]":
        """Return what networks see of some units in training: augmented images."""
        from overread.imaging import augment

        batch = tensors(self._all_stored(asked))
        views = self._views_of(asked)
        return augment(batch, self.member.augment, views=views, generator=generator)

    def _views_of(self, asked: Mapping[str, object]) -> dict[str, ViewSpec]:
        return {name: self.views[name] for name in asked if name in self.member.views}

    def _all_stored(self, asked: Mapping[str, tuple[Sequence[int], NDArray[np.bool_]]]) -> Arrays:
        batch: Arrays = {}
        for view, (indices, flipped) in asked.items():
            batch |= self._stored(view, indices, flipped)
        return batch

    def _stored(self, view: str, indices: Sequence[int], flipped: NDArray[np.bool_]) -> Arrays:
        """Return the stored crops of some units in one view, mirrored where asked, with marks."""
        rows = self.rows[list(indices)]
        batch = collate({view: [self.cuts[view][study].of(unit) for study, unit in rows]})
        if view in self.marks:
            slots = np.stack([self.marks[view][study][unit] for study, unit in rows])
            batch[f"{view}.marks"] = slots
        if not flipped.any():
            return batch
        turned = mirror(batch, {view: self.views[view]})
        return {name: _choose(flipped, turned[name], batch[name]) for name in batch}

    def flips(self, count: int, generator: "torch.Generator | None") -> NDArray[np.bool_]:
        """Return for each of some units, or studies, whether it is given mirrored."""
        turned = np.full(count, self.turned)
        if generator is None:
            return turned
        import torch

        drawn: NDArray[np.bool_] = (
            torch.rand(count, generator=generator) < self.member.mirror_chance
        ).numpy()
        return turned ^ drawn

    def targets(self, indices: Sequence[int], flipped: NDArray[np.bool_]) -> Arrays:
        """Return the labels of the heads; those of the partner where the unit is mirrored."""
        if self.labels is None:
            return {}
        found: Arrays = {}
        index = list(indices)
        for name in member_heads(self.rubric, self.member):
            partner = partner_head(self.rubric, name)
            for kind, table in (
                ("target", self.labels.probabilities),
                ("weight", self.labels.weight),
            ):
                found[f"{kind}.{name}"] = _choose(
                    flipped, table[partner][index], table[name][index]
                )
        return found

    def _slice_targets(
        self, batch: "dict[str, Any]", targets: Arrays, flipped: NDArray[np.bool_]
    ) -> Arrays:
        """Return the labels of slots; takes the marks out of the batch.

        A marked slot has the unit's label, and its greatest share as weight (as published: 1 for
        true grades, less for pseudo-labels); all others have weight 0.
        """
        if not self.marks:
            return {}
        marks = np.concatenate([batch.pop(f"{view}.marks") for view in self.member.views], axis=1)
        names, found = self.rubric.names, {}
        for name in member_heads(self.rubric, self.member):
            own, other = names.index(name), names.index(self.rubric.partner(name))
            marked = _choose(flipped, marks[..., other], marks[..., own])
            label = targets[f"target.{name}"]
            found[f"slice_target.{name}"] = label[:, None] * marked[..., None]
            found[f"slice_weight.{name}"] = label.max(axis=1, keepdims=True) * marked
        return found


def _choose(condition: NDArray[np.bool_], yes: NDArray[Any], no: NDArray[Any]) -> NDArray[Any]:
    shape = (-1, *[1] * (yes.ndim - 1))
    return np.where(condition.reshape(shape), yes, no)


def member_examples(
    member: MemberSpec,
    views: Mapping[str, ViewSpec],
    rubric: Rubric,
    cuts: Mapping[str, Sequence[StudyCuts]],
    labels: Labels | None = None,
    *,
    points: Points | None = None,
) -> MemberExamples:
    """Gather the units of a member from the crops of studies.

    Args:
        member: settings.
        views: of the recipe.
        rubric: what is asked.
        cuts: {view: one StudyCuts a study}, in the same order of studies for all views.
        labels: with labels (training), units that have none for this member are left out, unless
            it reads whole studies.
        points: true points of the dataset, which tell the marked slices for `loss.slices`.

    Returns:
        The examples, in the order of studies and units.

    Raises:
        RecordError: if labels of slices are to be learnt and no points are given.
    """
    asked_targets(rubric, member)
    if labels is not None and member.loss.slices and points is None:
        raise RecordError("loss.slices needs the dataset's true points; found none")
    first = cuts[member.inputs[0]]
    rows = np.array(
        [(study, unit) for study, one in enumerate(first) for unit in range(len(one))], np.int64
    ).reshape(-1, 2)
    sites = np.array([_site(rubric, first[study].sites[unit]) for study, unit in rows], np.int64)
    examples = MemberExamples(member, views, rubric, cuts, rows, sites)
    if labels is None:
        return examples
    found = unit_labels(labels, rubric, examples.units)
    known = np.any([found.weight[name] > 0 for name in asked_targets(rubric, member)], axis=0)
    if member.offsets != (0,):
        found = _with_offsets(found, examples)
    marks = {
        view: marked_slots(member.marks, views[view], rubric, cuts[view], points or {})
        for view in member.views
        if member.loss.slices
    }
    labelled = replace(examples, labels=found, marks=marks)
    return labelled if member.reads == "study" else labelled.take(np.flatnonzero(known).tolist())


def _with_offsets(labels: UnitLabels, examples: MemberExamples) -> UnitLabels:
    """Return the labels with those of slices at the member's offsets."""
    scans, offsets, beyond = examples.scans, examples.member.offsets, examples.member.beyond
    return UnitLabels(
        offset_labels(labels.probabilities, scans, offsets, beyond),
        offset_labels(labels.weight, scans, offsets, beyond),
    )


def _site(rubric: Rubric, site: str | None) -> int:
    return rubric.sites.index(site) if site in rubric.sites else 0
