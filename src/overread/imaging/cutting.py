"""The one way in which crops are cut, for training and for serving.

From a view, a decoded study and its points to the crops of one unit. Networks and batches are not
known here. Missing series and points give empty crops, never an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from overread.imaging.channels import SliceImage, scan_of, stack_channels
from overread.imaging.curves import chain_spacing
from overread.imaging.levels import assign_levels, names_with_gaps
from overread.imaging.orientation import in_plane_axes, slice_offsets, slice_order
from overread.imaging.pixels import StudyPixels
from overread.imaging.sampling import Lattice, Source, sample, sample_exactly
from overread.imaging.slices import (
    central_slices,
    fill_slots,
    nearest_slices,
    resample_slices,
    side_slices,
)
from overread.imaging.turning import along_chain, turned, whole_pixels
from overread.imaging.views import Cut, ViewSpec
from overread.imaging.windows import WindowSpec, chain_percentiles, percentiles
from overread.records import Frame, Keypoints, Planes, Series, Stack, Volume

__all__ = ["channel_slice", "cut"]

Floats = NDArray[np.float64]
Part = tuple[Series, Stack, Volume]


@dataclass(frozen=True, eq=False)
class Place:
    """Where a unit lies: its point, and its index in the chain of the locator's points."""

    point: Floats | None
    chain: Keypoints
    index: int | None


NOWHERE = Place(None, Keypoints.of({}), None)


@dataclass(frozen=True, eq=False)
class Candidates:
    """The slices that a view may choose from, in patient order, with their distances."""

    planes: Planes
    frames: tuple[Frame, ...]
    volumes: tuple[tuple[Volume, int], ...]
    offsets: Floats

    def brighter(self, first: int, second: int) -> int:
        """Return the brighter of two slices: a choice that left and right cannot change."""
        means = [
            float(np.asarray(volume.array[index, ::4, ::4], np.float64).mean())
            for volume, index in (self.volumes[first], self.volumes[second])
        ]
        return first if means[0] >= means[1] else second


def cut(
    view: ViewSpec, study: StudyPixels, keypoints: Mapping[str, Keypoints], site: str | None
) -> Cut:
    """Return the crops of one unit in one view.

    Args:
        view: how they are cut.
        study: with its pixels.
        keypoints: by locator.
        site: of the unit; None when the study is the unit.

    Returns:
        The crops; all masked when the study lacks the series or the point.
    """
    if view.channels:
        return _channels(view, study, site)
    place = _place(view, keypoints, site)
    if view.around is not None and place.point is None:
        return _empty(view)
    if place.chain.turned:
        study = study.turned()
    parts = _parts(view, study, place.point)
    if not parts:
        return _empty(view)
    candidates = _candidates(view, parts, place.point)
    slots = _slots(view, candidates, place, site)
    if all(slot is None for slot in slots):
        return _empty(view)
    return _sampled(view, study, candidates, place, slots)


def _channels(view: ViewSpec, study: StudyPixels, site: str | None) -> Cut:
    """Return a slice of a scan, its neighbours as channels."""
    role = next((role for role in view.series if study.with_role(role)), None)
    found = scan_of(study, role, site) if role else None
    if found is None:
        return _empty(view)
    scan, place = found
    own, middle = scan.slices[place], scan.slices[len(scan) // 2]
    _, planes = _lattice(view, own.plane, NOWHERE)
    pixels = stack_channels(view, scan, place, lambda one, window: channel_slice(view, one, window))
    return Cut(
        pixels[None].astype(np.float16),
        np.ones(1, np.bool_),
        np.array([own.height_mm - middle.height_mm], np.float32),
        planes,
        (own.frame,),
    )


def channel_slice(view: ViewSpec, one: SliceImage, window: WindowSpec) -> NDArray[np.float32]:
    """Return a whole slice, or the middle of it, through one window, (rows, columns)."""
    rows, columns = (int(size) for size in one.plane.size[0])
    pixels = one.volume.array[one.index]
    limits = window.fixed or percentiles(np.asarray(pixels[:rows, :columns]), window.percentile)
    lattice, _ = _lattice(view, one.plane, NOWHERE)
    crops = sample_exactly([Source(pixels, (rows, columns), (limits,))], lattice)
    first: NDArray[np.float32] = crops[0, 0]
    return first


def _place(view: ViewSpec, keypoints: Mapping[str, Keypoints], site: str | None) -> Place:
    found = keypoints.get(view.around) if view.around is not None else None
    if found is None or not found.names:
        return NOWHERE
    if view.plane != "photo":
        order = np.argsort(-found.points[:, 2], kind="stable")
        found = found.ordered([found.names[i] for i in order])
    if site is None:
        return Place(found.points.mean(axis=0), found, None)
    index = found.names.index(site) if site in found.names else None
    return Place(found.get(site), found, index)


def _parts(view: ViewSpec, study: StudyPixels, point: Floats | None) -> list[Part]:
    present = [role for role in view.series if study.with_role(role)]
    roles = present if view.take == "all" else present[:1]
    parts = [part for role in roles for part in study.with_role(role)]
    merge = view.slices.merge
    if merge or (merge is None and view.plane in ("axial", "photo")):
        return parts
    by_series: dict[tuple[str, str | None], list[Part]] = {}
    for part in parts:
        by_series.setdefault((part[0].id, part[1].role), []).append(part)
    chosen: list[Part] = []
    for role in roles:
        options = [group for (_, of), group in by_series.items() if of == role]
        best = partial(_worth, point=point)
        chosen += max(options, key=best) if len(options) > 1 else options[0]
    return chosen


def _worth(parts: list[Part], point: Floats | None) -> tuple[int, int]:
    """Return how many slices show the point, and how many there are."""
    planes = Planes.join([stack.planes for _, stack, _ in parts])
    if point is None:
        return 0, len(planes)
    place, _ = planes.to_pixels(np.arange(len(planes)), np.tile(point, (len(planes), 1)))
    inside = ((place >= 0) & (place <= planes.size[:, ::-1] - 1)).all(axis=1)
    return int(inside.sum()), len(planes)


def _candidates(view: ViewSpec, parts: list[Part], point: Floats | None) -> Candidates:
    planes = Planes.join([stack.planes for _, stack, _ in parts])
    frames = [frame for _, stack, _ in parts for frame in stack.frames]
    volumes = [(volume, index) for _, _, volume in parts for index in range(len(volume))]
    if view.plane == "photo":
        return Candidates(planes, tuple(frames), tuple(volumes), np.zeros(len(planes)))
    centre = planes.centre
    middle = (centre.min(axis=0) + centre.max(axis=0)) / 2 if point is None else point
    order = slice_order(planes, view.plane, middle)
    planes = planes.take(order)
    return Candidates(
        planes,
        tuple(frames[i] for i in order),
        tuple(volumes[i] for i in order),
        slice_offsets(planes, view.plane, middle),
    )


def _slots(
    view: ViewSpec, candidates: Candidates, place: Place, site: str | None
) -> list[int | None]:
    spec = view.slices
    chosen = np.arange(len(candidates.planes))
    if spec.pick == "central":
        chosen = central_slices(len(chosen), spec.fraction)
    if spec.pick == "level":
        names = names_with_gaps(place.chain)
        levels = assign_levels(place.chain, candidates.planes, levels=names)
        chosen = np.array([i for i, level in enumerate(levels) if level == site], np.int64)
    if spec.within_mm is not None:
        chosen = chosen[np.abs(candidates.offsets[chosen]) <= spec.within_mm]
    if spec.pick == "nearest" or (spec.pick == "level" and not spec.as_published):
        offsets = candidates.offsets[chosen]
        near = nearest_slices(offsets, spec.count, lambda a, b: _among(chosen, candidates, a, b))
        chosen = chosen[near]
    if not len(chosen):
        return [None] * view.slots
    if view.one_side is not None and view.plane == "sagittal":
        places = side_slices(len(chosen), view.one_side, spec)
        return [None if place is None else int(chosen[place]) for place in places]
    if spec.fill == "mask" and len(chosen) < spec.count:
        return fill_slots(chosen, candidates.offsets, spec.count, candidates.brighter)
    tie = None if spec.as_published else partial(_nearer, chosen, candidates)
    return [int(index) for index in chosen[resample_slices(len(chosen), spec.count, tie)]]


def _among(chosen: NDArray[np.int64], candidates: Candidates, first: int, second: int) -> int:
    winner = candidates.brighter(int(chosen[first]), int(chosen[second]))
    return first if winner == chosen[first] else second


def _nearer(chosen: NDArray[np.int64], candidates: Candidates, first: int, second: int) -> int:
    gap = np.abs(candidates.offsets[chosen[[first, second]]])
    if abs(gap[0] - gap[1]) > 1e-6:
        return first if gap[0] < gap[1] else second
    return _among(chosen, candidates, first, second)


def _sampled(
    view: ViewSpec,
    study: StudyPixels,
    candidates: Candidates,
    place: Place,
    slots: list[int | None],
) -> Cut:
    taken = np.array([slot for slot in slots if slot is not None], np.int64)
    unique, back = np.unique(taken, return_inverse=True)
    planes = candidates.planes.take(unique)
    lattice, crop_planes = _lattice(view, planes, place)
    sources = [_source(view, study, place, *candidates.volumes[index]) for index in unique]
    crops = sample(sources, lattice)
    mask = np.array([slot is not None for slot in slots])
    pixels = np.zeros((len(slots), *crops.shape[1:]), np.float16)
    pixels[mask] = crops[back]
    offsets = np.zeros(len(slots), np.float32)
    offsets[mask] = candidates.offsets[taken]
    nearest = np.maximum(np.cumsum(mask) - 1, 0)  # empty slots borrow the plane before them
    order = back[nearest]
    if len(order) != len(unique) or (np.diff(order) != 1).any():
        crop_planes = crop_planes.take(order)
    frames = tuple(None if slot is None else candidates.frames[slot] for slot in slots)
    return Cut(pixels, mask, offsets, crop_planes, frames)


def _source(view: ViewSpec, study: StudyPixels, place: Place, volume: Volume, index: int) -> Source:
    limits = tuple(_limits(window, study, place, volume, index) for window in view.windows)
    rows, columns = volume.planes.size[index]
    pixels = volume.array[index]
    if view.plane == "photo" and pixels.ndim == 2:  # a grey photograph has three equal colours
        pixels = np.broadcast_to(pixels[..., None], (*pixels.shape, 3))
    return Source(pixels, (int(rows), int(columns)), limits)


def _limits(
    window: WindowSpec, study: StudyPixels, place: Place, volume: Volume, index: int
) -> tuple[float, float]:
    if window.fixed is not None:
        return window.fixed
    if window.region == "slice" or not len(place.chain.names):
        return study.limits(volume, index, window.percentile)
    rows, columns = volume.planes.size[index]
    pixels = np.asarray(volume.array[index, :rows, :columns])
    points = place.chain.points
    places, _ = volume.planes.to_pixels(np.full(len(points), index), points)
    return chain_percentiles(pixels, places, window.percentile)


def _lattice(view: ViewSpec, planes: Planes, place: Place) -> tuple[Lattice, Planes]:
    """Return where crop pixels lie in the slices, and the planes of the crops."""
    slices = np.arange(len(planes))
    down, right = in_plane_axes(planes, view.plane)
    if view.straighten and place.index is not None:
        chain = place.chain.points
        along = along_chain(chain, place.index, planes, (down, right), view.curve)
        down, right = (down, right) if along is None else turned(along, down, right)
    unit = _units(view, place)
    down_px, right_px = _per_mm(planes, down), _per_mm(planes, right)
    if place.point is None:
        centre = (planes.size[:, ::-1] - 1) / 2
    else:
        centre, _ = planes.to_pixels(slices, np.tile(place.point, (len(planes), 1)))
    shift = np.array(view.shift_mm) * unit
    centre = centre + shift[0] * down_px + shift[1] * right_px
    step = _steps(view, planes, down_px, right_px) * unit
    if view.edges == "whole" and view.size_mm is not None:
        box = np.abs(down_px) * view.size_mm[0] + np.abs(right_px) * view.size_mm[1]
        centre, grown = whole_pixels(centre, box)
        sideways = np.abs(down_px[:, :1]) > np.abs(down_px[:, 1:])  # crop rows along file rows
        step = step * np.where(sideways, grown, grown[:, ::-1])
    lattice = Lattice(centre, down_px * step[:, :1], right_px * step[:, 1:], view.stored)
    half = (np.array(view.stored) - 1) / 2
    corner = centre - lattice.down * half[0] - lattice.right * half[1]
    size = np.tile(np.array(view.stored), (len(planes), 1))
    origin = planes.to_world(slices, corner)
    return lattice, Planes(origin, right, down, step, size, planes.space)


def _units(view: ViewSpec, place: Place) -> Floats:
    """Return what 1 means down and across in the view's sizes, mm."""
    spacing = None
    if view.scale == "spacing" and place.index is not None:
        spacing = chain_spacing(place.chain.points, place.index)
    if spacing is None:
        return np.ones(2)
    if place.chain.ends is None:
        return np.full(2, spacing)
    ends = place.chain.ends
    widths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    steps = np.linalg.norm(np.diff(place.chain.points, axis=0), axis=1)
    ratio = float(np.median(widths) / np.median(steps)) * view.width
    return np.array([spacing, spacing * ratio])


def _per_mm(planes: Planes, direction: Floats) -> Floats:
    """Return the change of column and row index for 1 mm along directions in the planes."""
    x = np.einsum("ij,ij->i", direction, planes.row) / planes.spacing[:, 1]
    y = np.einsum("ij,ij->i", direction, planes.column) / planes.spacing[:, 0]
    return np.stack([x, y], 1)


def _steps(view: ViewSpec, planes: Planes, down_px: Floats, right_px: Floats) -> Floats:
    """Return mm between crop rows and columns, (n, 2)."""
    pixels = np.array(view.whole, np.float64)
    if view.size_mm is not None:
        return np.tile(np.array(view.size_mm) / pixels, (len(planes), 1))
    whole = np.stack(
        [
            np.einsum(
                "ij,ij->i", np.abs(axis) > 1e-9, planes.size[:, ::-1] * planes.spacing[:, ::-1]
            )
            for axis in (down_px, right_px)
        ],
        1,
    )
    step = whole * view.share / pixels
    return step if view.aspect == "stretch" else np.tile(step.max(axis=1, keepdims=True), (1, 2))


def _empty(view: ViewSpec) -> Cut:
    count = view.slots
    channels = view.depth
    return Cut(
        np.zeros((count, channels, *view.stored), np.float16),
        np.zeros(count, np.bool_),
        np.zeros(count, np.float32),
        Planes.of_images(np.tile(np.array(view.stored), (count, 1))),
        (None,) * count,
    )
