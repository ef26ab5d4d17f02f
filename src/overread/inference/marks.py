"""Which slices of a unit were marked by a person: labels for single slices.

A marked point lies on one slice of a series of a certain role; the slot of a view that holds this
slice takes part in the label of the point's target. Networks and batches are not known here.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overread.imaging import ViewSpec
from overread.records import Keypoints, RecordError, Rubric
from overread.shelf import Spec

if TYPE_CHECKING:
    from overread.inference.cuts import StudyCuts

__all__ = ["MarkSpec", "Points", "marked_slots"]

Points = Mapping[str, Mapping[str, Keypoints]]
"""{set of true points: {study: points named by site}}, as a dataset tells them."""
SAME_MM = 1e-3


class MarkSpec(Spec):
    """Where a target was marked.

    Attributes:
        points: name of the dataset's set of true points.
        series: roles on which they were marked; views of other series get no labels from them.
        within_mm: a slice farther from the point than this is not the one that was marked.
    """

    points: str
    series: tuple[str, ...] = Field(min_length=1)
    within_mm: float = Field(default=1.0, gt=0)


def marked_slots(
    marks: Mapping[str, MarkSpec],
    view: ViewSpec,
    rubric: Rubric,
    cuts: Sequence["StudyCuts"],
    points: Points,
) -> list[NDArray[np.float32]]:
    """Return for each study (units, slots, targets): 1 where a slot holds the marked slice.

    Slots that repeat the slice are all marked; without a point near a slice none is.

    Args:
        marks: {target: where it was marked}; targets that the rubric lacks are passed over.
        view: of the crops.
        rubric: names the targets, in the order of the last axis.
        cuts: one a study.
        points: of the dataset.

    Raises:
        RecordError: if crops do not tell where their slices lie.
    """
    sizes = [(len(one), one.mask.shape[1], len(rubric.names)) for one in cuts]
    found = [np.zeros(size, np.float32) for size in sizes]
    for column, target in enumerate(rubric.names):
        mark = marks.get(target)
        if mark is None or not set(mark.series) & set(view.series):
            continue
        places = _by_unit(points.get(mark.points, {}), rubric)
        for one, slots in zip(cuts, found, strict=True):
            for index, unit in enumerate(one.units):
                if unit in places:
                    slots[index, :, column] = _at(one, index, places[unit], mark.within_mm)
    return found


def _by_unit(points: Mapping[str, Keypoints], rubric: Rubric) -> dict[str, NDArray[np.float64]]:
    return {
        rubric.unit_id(study, site): place
        for study, one in points.items()
        for site, place in zip(one.names, one.points, strict=True)
        if site in rubric.sites
    }


def _at(
    cuts: "StudyCuts", index: int, point: NDArray[np.float64], within_mm: float
) -> NDArray[np.bool_]:
    if cuts.planes is None:
        raise RecordError(
            f"the crops of {cuts.units[index]} do not tell where their slices lie, which labels of "
            "slices need; they are of an older version: delete these crops and cut them again"
        )
    row = cuts.row(index)
    gap = np.abs(cuts.planes[row, :, :3] @ point - cuts.planes[row, :, 3])
    gap = np.where(cuts.mask[row], gap, np.inf)
    return np.asarray(gap <= min(gap.min() + SAME_MM, within_mm))
