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
Index = NDArray[np.int64]
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


@dataclass(frozen=True, eq=False)
class _Geometry:
    """Directions and centres of frames, as arrays that are indexed while splitting.

    Attributes:
        written: origin, row, column, spacing and size as the files have them.
    """

    written: tuple[Floats, Floats, Floats, Floats, Index]
    row: Floats
    column: Floats
    normal: Floats
    centre: Floats

    @staticmethod
    def of(frames: Sequence[FrameHeader]) -> "_Geometry":
        orientation = np.array([frame.orientation for frame in frames], np.float64)
        written = (
            np.array([frame.position for frame in frames], np.float64),
            orientation[:, :3],
            orientation[:, 3:],
            np.array([frame.spacing for frame in frames], np.float64),
            np.array([frame.size for frame in frames], np.int64),
        )
        planes = Planes(*written)
        return _Geometry(written, planes.row, planes.column, planes.normal, planes.centre)

    def planes(self, index: Index) -> Planes:
        """Return the planes of some frames."""
        origin, row, column, spacing, size = self.written
        return Planes(origin[index], row[index], column[index], spacing[index], size[index])

    def along(self, index: Index) -> Floats:
        """Positions of some frames along the canonical normal of the first of them, mm."""
        along: Floats = self.centre[index] @ canonical_normal(self.normal[index[0]])
        return along


def make_stacks(frames: Sequence[FrameHeader]) -> list[StackDraft]:
    """Return the stacks of one series.

    A series is split where the direction changes, where localizers are mixed in, where blocks of
    one direction stand beside one another, and where positions repeat.

    Args:
        frames: at least one; all with a place; duplicates are already set aside.

    Returns:
        stacks, ordered along the patient: right to left, front to back, head to feet; localizers
        last.
    """
    geometry = _Geometry.of(frames)
    localizers = np.array([is_localizer(frame) for frame in frames])
    drafts: list[StackDraft] = []
    block = 0
    for localizer in (False, True):
        for parallel in _by_direction(geometry, np.flatnonzero(localizers == localizer)):
            for beside in _by_place(geometry, parallel):
                along = geometry.along(beside)
                members = [frames[i] for i in beside]
                for split_by, part in split_repeats(members, along):
                    ordered = beside[part][np.argsort(along[part], kind="stable")]
                    chosen = tuple(frames[i] for i in ordered)
                    draft = StackDraft(chosen, geometry.planes(ordered), block, localizer, split_by)
                    drafts.append(draft)
                block += 1
    return sorted(drafts, key=_order)


def _order(draft: StackDraft) -> tuple[bool, str, float]:
    axis, sense = PLANE_AXES[draft.plane]
    return draft.localizer, draft.plane, float(draft.planes.centre[:, axis].mean() * sense)


def _by_direction(geometry: _Geometry, left: Index) -> list[Index]:
    groups: list[Index] = []
    while len(left):
        first = left[0]
        same = (geometry.row[left] @ geometry.row[first] > PARALLEL) & (
            geometry.normal[left] @ geometry.normal[first] > PARALLEL
        )
        groups.append(left[same])
        left = left[~same]
    return groups


def _by_place(geometry: _Geometry, index: Index) -> list[Index]:
    """Split parallel blocks that are shifted within the plane (two discs, two stations)."""
    first = index[0]
    axes = np.stack([geometry.row[first], geometry.column[first]], 1)
    beside = geometry.centre[index] @ axes
    if np.abs(beside - beside[0]).max() < IN_PLANE_JUMP_MM or len(index) < 3:
        return [index]
    along = geometry.along(index)
    order = np.argsort(along, kind="stable")
    steps, shifts = np.diff(along[order]), np.diff(beside[order], axis=0)
    moved = steps > 1e-2
    # A gantry tilt shears the block: a constant shift for each mm along the normal.
    shear = np.median(shifts[moved] / steps[moved, None], axis=0) if moved.any() else np.zeros(2)
    jumps = np.linalg.norm(shifts - steps[:, None] * shear, axis=1) > IN_PLANE_JUMP_MM
    if not jumps.any():
        return [index]
    label = np.empty(len(index), np.int64)
    if jumps.sum() <= len(index) / 4:
        label[order] = np.concatenate([[0], np.cumsum(jumps)])
    else:
        label = _clusters(beside - along[:, None] * shear)
    groups = [index[label == k] for k in np.unique(label)]
    return groups if len(groups) <= len(index) / 2 else [index]


def _clusters(points: Floats) -> Index:
    label = np.full(len(points), -1, np.int64)
    for count in range(len(points)):
        left = np.flatnonzero(label < 0)
        if not len(left):
            break
        near = np.linalg.norm(points[left] - points[left[0]], axis=1) < IN_PLANE_JUMP_MM
        label[left[near]] = count
    return label
