"""From the frames of one series to stacks: one direction each, in order along the normal.

Knows geometry and what sets repetitions apart; neither roles nor pixels nor file names.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.imaging.reading.frames import FrameHeader
from overread.imaging.reading.repeats import split_repeats
from overread.records import Planes

__all__ = ["PLANE_AXES", "StackDraft", "canonical_normal", "is_localizer", "make_stacks"]

Floats = NDArray[np.float64]
PARALLEL = np.cos(np.deg2rad(0.25))
IN_PLANE_JUMP_MM = 5.0
# The axis that slices of a plane advance along, and the canonical sense (LPS): sagittal right to
# left, coronal front to back, axial head to feet.
PLANE_AXES: dict[str, tuple[int, float]] = {
    "sagittal": (0, 1.0),
    "coronal": (1, 1.0),
    "axial": (2, -1.0),
}


@dataclass(frozen=True)
class StackDraft:
    """Frames of a stack in order, before it has a role.

    Attributes:
        frames: ordered along the canonical direction.
        planes: one per frame.
        block: stacks of one block show the same place again; numbers from 0 within a series.
        localizer: whether the frames call themselves a localizer.
        split_by: the trait that sets it apart from the other stacks of its block, or None.
    """

    frames: tuple[FrameHeader, ...]
    planes: Planes
    block: int
    localizer: bool
    split_by: str | None = None

    @property
    def plane(self) -> str:
        """The anatomical plane that is nearest."""
        return plane_of(self.planes.normal[0])

    @property
    def along(self) -> Floats:
        """(n,) mm along the canonical normal, ascending."""
        return self.planes.along(canonical_normal(self.planes.normal[0]))


def plane_of(normal: Floats) -> str:
    """Return the anatomical plane whose axis is nearest to a normal."""
    nearest = int(np.abs(normal).argmax())
    return next(name for name, (axis, _) in PLANE_AXES.items() if axis == nearest)


def canonical_normal(normal: Floats) -> Floats:
    """Return the normal or its opposite: to the left, to the back, or to the feet."""
    axis, sense = PLANE_AXES[plane_of(normal)]
    turned: Floats = normal * (np.sign(normal[axis]) * sense)
    return turned


def is_localizer(frame: FrameHeader) -> bool:
    """Tell whether a frame calls itself a localizer."""
    return any(part in {"LOCALIZER", "SCOUT", "TOPOGRAM"} for part in frame.image_type)


def make_stacks(frames: Sequence[FrameHeader]) -> list[StackDraft]:
    """Return the stacks of one series.

    A series is split where the direction changes, where localizers are mixed in, where blocks of
    one direction stand beside one another, and where positions repeat.

    Args:
        frames: all with a place; duplicates are already set aside.

    Returns:
        stacks, ordered along the patient: right to left, front to back, head to feet.
    """
    drafts: list[StackDraft] = []
    block = 0
    for localizer in (False, True):
        chosen = [frame for frame in frames if is_localizer(frame) == localizer]
        for parallel in _by_direction(chosen):
            for beside in _by_place(parallel):
                for split_by, part in split_repeats(beside, _along(beside)):
                    drafts.append(_draft(part, block, localizer=localizer, split_by=split_by))
                block += 1
    return sorted(drafts, key=_order)


def _order(draft: StackDraft) -> tuple[bool, str, float]:
    axis, sense = PLANE_AXES[draft.plane]
    return draft.localizer, draft.plane, float(draft.planes.centre[:, axis].mean() * sense)


def _draft(
    frames: Sequence[FrameHeader], block: int, *, localizer: bool, split_by: str | None
) -> StackDraft:
    order = np.argsort(_along(frames), kind="stable")
    ordered = tuple(frames[i] for i in order)
    return StackDraft(ordered, planes_of(ordered), block, localizer, split_by)


def planes_of(frames: Sequence[FrameHeader]) -> Planes:
    """Return one plane per placed frame."""
    orientation = np.array([frame.orientation for frame in frames], np.float64)
    return Planes(
        np.array([frame.position for frame in frames], np.float64),
        orientation[:, :3],
        orientation[:, 3:],
        np.array([frame.spacing for frame in frames], np.float64),
        np.array([frame.size for frame in frames], np.int64),
    )


def _along(frames: Sequence[FrameHeader]) -> Floats:
    planes = planes_of(frames)
    return planes.along(canonical_normal(planes.normal[0]))


def _by_direction(frames: Sequence[FrameHeader]) -> list[list[FrameHeader]]:
    if not frames:
        return []
    planes = planes_of(frames)
    groups: list[list[FrameHeader]] = []
    left = np.arange(len(frames))
    while len(left):
        first = left[0]
        same = (planes.row[left] @ planes.row[first] > PARALLEL) & (
            planes.normal[left] @ planes.normal[first] > PARALLEL
        )
        groups.append([frames[i] for i in left[same]])
        left = left[~same]
    return groups


def _by_place(frames: list[FrameHeader]) -> list[list[FrameHeader]]:
    """Split parallel blocks that are shifted within the plane (two discs, two stations)."""
    if len(frames) < 3:
        return [frames]
    planes = planes_of(frames)
    along = _along(frames)
    order = np.argsort(along, kind="stable")
    beside = np.stack(
        [np.einsum("ij,j->i", planes.centre, axis) for axis in (planes.row[0], planes.column[0])],
        1,
    )
    steps, shifts = np.diff(along[order]), np.diff(beside[order], axis=0)
    if np.linalg.norm(beside - beside[0], axis=1).max() < IN_PLANE_JUMP_MM:
        return [frames]
    moved = steps > 1e-2
    # A gantry tilt shears the block: a constant shift for each mm along the normal.
    shear = np.median(shifts[moved] / steps[moved, None], axis=0) if moved.any() else np.zeros(2)
    jumps = np.linalg.norm(shifts - steps[:, None] * shear, axis=1) > IN_PLANE_JUMP_MM
    if not jumps.any():
        return [frames]
    label = np.empty(len(frames), np.int64)
    if jumps.sum() <= len(frames) / 4:
        label[order] = np.concatenate([[0], np.cumsum(jumps)])
    else:
        label = _clusters(beside - along[:, None] * shear)
    groups = [[frames[i] for i in np.flatnonzero(label == k)] for k in np.unique(label)]
    return groups if len(groups) <= len(frames) / 2 else [frames]


def _clusters(points: Floats) -> NDArray[np.int64]:
    label = np.full(len(points), -1, np.int64)
    for count in range(len(points)):
        left = np.flatnonzero(label < 0)
        if not len(left):
            break
        near = np.linalg.norm(points[left] - points[left[0]], axis=1) < IN_PLANE_JUMP_MM
        label[left[near]] = count
    return label
