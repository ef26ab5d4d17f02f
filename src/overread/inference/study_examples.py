"""Whole studies as examples: all units of a study in one row, for networks that read studies.

How a unit becomes pixels and labels is the business of `examples`, which is asked here.

Legend: B studies, U units of the longest of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overread.imaging import Arrays, tensors
from overread.inference.cuts import StudyCuts
from overread.inference.examples import MemberExamples
from overread.inference.member import MemberSpec, asked_targets
from overread.records import Rubric

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["AsRead", "StudyExamples", "as_read"]


@dataclass(frozen=True, eq=False)
class StudyExamples:
    """Studies of one member, each with all its units, those without a label too.

    Attributes:
        each: all units, study by study.
        groups: numbers of the units of each study; one at least.
    """

    each: MemberExamples
    groups: tuple[NDArray[np.int64], ...]

    def __len__(self) -> int:
        """Return the number of studies."""
        return len(self.groups)

    @property
    def member(self) -> MemberSpec:
        """Settings of the member."""
        return self.each.member

    @property
    def rubric(self) -> Rubric:
        """What is asked."""
        return self.each.rubric

    @property
    def cuts(self) -> Mapping[str, Sequence[StudyCuts]]:
        """{view: crops of studies}."""
        return self.each.cuts

    @property
    def rows(self) -> NDArray[np.int64]:
        """(units, 2) number of the study in `cuts`, and of the unit in the study."""
        return self.each.rows[self._all]

    @property
    def units(self) -> tuple[str, ...]:
        """Ids of all units, in order."""
        known = self.each.units
        return tuple(known[index] for index in self._all)

    @property
    def scans(self) -> NDArray[np.int64]:
        """(units,) number of the scan that each unit is a slice of."""
        return self.each.scans[self._all]

    @property
    def _all(self) -> NDArray[np.int64]:
        return np.concatenate(self.groups) if self.groups else np.zeros(0, np.int64)

    def mirrored(self) -> "StudyExamples":
        """Return the same studies with left and right exchanged."""
        return replace(self, each=self.each.mirrored())

    def with_columns_reversed(self) -> "StudyExamples":
        """Return the same studies with the columns of the views in `member.flip` reversed."""
        return replace(self, each=self.each.with_columns_reversed())

    def take(self, indices: Sequence[int]) -> "StudyExamples":
        """Return some of the studies."""
        return replace(self, groups=tuple(self.groups[index] for index in indices))

    def shares(self) -> None:
        """Return that each study comes once an epoch."""
        return

    def of_units(self, answers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return answers (studies, ways, U, grades) as rows of units, (units, ways, grades)."""
        rows = [
            answer[:, : len(group)].swapaxes(0, 1)
            for answer, group in zip(answers, self.groups, strict=True)
        ]
        return np.concatenate(rows)

    def batch(
        self, indices: Sequence[int], *, generator: "torch.Generator | None"
    ) -> "dict[str, Tensor]":
        """Return the inputs and, where known, the labels of some studies.

        Args:
            indices: which studies.
            generator: given for training: studies are mirrored by chance and augmented.

        Returns:
            "units.mask" (B, U), False where a study has fewer units; "{view}", "{view}.mask" and
            "{view}.offsets" with the axes (B, S, ...) for views that are cut once for a study, else
            (B, U, S, ...); "site" (B, U), "target.{name}" (B, U, grades) and "weight.{name}"
            (B, U). Weights of units without a label, and all of units that are not there, are 0.
        """
        import torch

        from overread.models.studies import spread

        groups = [self.groups[index] for index in indices]
        lengths = np.array([len(group) for group in groups])
        units, first = np.concatenate(groups).tolist(), [int(group[0]) for group in groups]
        flipped = self.each.flips(len(groups), generator)
        turned = flipped.repeat(lengths)
        each = {
            name: name not in self.member.views or self.each.views[name].by_unit
            for name in self.member.inputs
        }
        asked = {name: (units, turned) if own else (first, flipped) for name, own in each.items()}
        images = (
            tensors(self.each.images(asked))
            if generator is None
            else self.each.varied(asked, generator)
        )
        mask = torch.from_numpy(np.arange(lengths.max()) < lengths[:, None])
        of_units = {
            **{key: value for key, value in images.items() if each[key.partition(".")[0]]},
            "site": torch.from_numpy(self.each.sites[units]),
            **tensors(self.each.targets(units, turned)),
        }
        return {
            "units.mask": mask,
            **images,
            **{key: spread(value, mask) for key, value in of_units.items()},
        }

    def arrays(self, indices: Sequence[int]) -> Arrays:
        """Return what `batch` gives without a generator, as arrays."""
        batch = self.batch(indices, generator=None)
        return {name: value.numpy() for name, value in batch.items()}


AsRead = MemberExamples | StudyExamples


def as_read(examples: MemberExamples) -> AsRead:
    """Return units as their member reads them: one by one, or study by study.

    Studies without any label of the member are left out where labels are known.
    """
    if examples.member.reads == "unit":
        return examples
    studies = examples.rows[:, 0]
    wanted = np.unique(studies)
    if examples.labels is not None:
        names = asked_targets(examples.rubric, examples.member)
        known = np.any([examples.labels.weight[name] > 0 for name in names], axis=0)
        wanted = np.unique(studies[known])
    return StudyExamples(examples, tuple(np.flatnonzero(studies == study) for study in wanted))
