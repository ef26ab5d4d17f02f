"""Find a locator's points in one study: the same way for out-of-fold points and for new studies.

What comes before (files, decoding) and after (crops, grades) is not known here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.imaging import CountSpec, StudyPixels, assign_levels, normalise
from overread.inference.asking import Network, ask_image
from overread.inference.canvas import draw
from overread.inference.decoding import PointSet, average_points, decode_points, plausible
from overread.inference.locator import UPSIDE_DOWN, LocatorSpec
from overread.records import Finding, Keypoints, Planes, Volume

__all__ = ["LocatorImages", "locate", "location_findings", "locator_images"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LocatorImages:
    """The inputs of a locator for one study, and where they lie.

    Attributes:
        images: (n, channels, rows, columns) float32, 0 to 1.
        planes: one per input; exact from input px to world mm.
        groups: (n,) which answer an input belongs to: inputs of a group are averaged.
        names: (n,) the points that the maps of an input mean.
    """

    images: NDArray[np.float32]
    planes: Planes
    groups: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        """Return the number of inputs."""
        return len(self.images)

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> "LocatorImages":
        """Return some of the inputs."""
        return LocatorImages(
            self.images[indices],
            self.planes.take(indices),
            tuple(self.groups[index] for index in indices),
            tuple(self.names[index] for index in indices),
        )


@dataclass(frozen=True)
class _Choice:
    group: str
    names: tuple[str, ...]
    volume: Volume
    index: int
    centre: Floats | None


def locator_images(
    spec: LocatorSpec,
    pixels: StudyPixels,
    keypoints: Mapping[str, Keypoints],
    *,
    every_series: bool = False,
) -> LocatorImages:
    """Choose slices and draw them as network inputs; used by training and serving alike.

    Args:
        spec: the locator.
        pixels: the decoded study.
        keypoints: {locator: points} found so far; needed for `spec.around`.
        every_series: take all series of the roles even if the spec takes the first (training).

    Returns:
        No inputs if the study has no such series, or no points to look around.
    """
    volumes = _volumes(spec, pixels, every_series=every_series or spec.take == "all")
    choose = _around if spec.around else _middle
    choices = list(choose(spec, volumes, keypoints))
    if not choices:
        empty = np.zeros((0, spec.channels, *spec.pixels), np.float32)
        return LocatorImages(empty, Planes.of_images(()), (), ())
    drawn = [_draw(spec, pixels, choice) for choice in choices]
    return LocatorImages(
        np.stack([image for image, _ in drawn]),
        Planes.join([plane for _, plane in drawn]),
        tuple(choice.group for choice in choices),
        tuple(choice.names for choice in choices),
    )


def _volumes(
    spec: LocatorSpec, pixels: StudyPixels, *, every_series: bool
) -> list[tuple[str, Volume]]:
    """Return (group, volume) of the series to look at; of a series, its largest stack."""
    found: list[tuple[str, Volume]] = []
    for role in spec.series:
        stacks = pixels.with_role(role)
        if spec.around:
            found += [(series.id, volume) for series, _, volume in stacks]
            continue
        largest: dict[str, Volume] = {}
        for series, _, volume in stacks:
            if series.id not in largest or len(volume) > len(largest[series.id]):
                largest[series.id] = volume
        found += largest.items()
        if found and not every_series:
            return found[:1]
    return found


def _middle(
    spec: LocatorSpec, volumes: list[tuple[str, Volume]], _: Mapping[str, Keypoints]
) -> Iterator[_Choice]:
    for group, volume in volumes:
        for index in sorted({(len(volume) - 1) // 2, len(volume) // 2}):
            yield _Choice(group, spec.points, volume, index, None)


def _around(
    spec: LocatorSpec, volumes: list[tuple[str, Volume]], keypoints: Mapping[str, Keypoints]
) -> Iterator[_Choice]:
    """Yield for each point the slices of its level that are nearest to it."""
    points = keypoints.get(spec.around or "", None)
    if points is None or not len(points.names):
        return
    levels = [assign_levels(points, volume.planes, levels=spec.points) for _, volume in volumes]
    for name in spec.points:
        point = points.get(name)
        if point is None:
            continue
        slices = [
            (_distance(volume.planes, index, point), number, index)
            for number, (_, volume) in enumerate(volumes)
            for index, level in enumerate(levels[number])
            if level == name
        ]
        for _, number, index in sorted(slices)[: spec.nearest]:
            centre = point if spec.centred else None
            yield _Choice(name, (name,), volumes[number][1], index, centre)


def _distance(planes: Planes, index: int, point: Floats) -> float:
    """Return how far the point is from the slice, mm; rounded, so that noise breaks no ties."""
    return round(abs(float(planes.to_pixels([index], point[None])[1][0])), 6)


def _draw(
    spec: LocatorSpec, pixels: StudyPixels, choice: _Choice
) -> tuple[NDArray[np.float32], Planes]:
    last = len(choice.volume) - 1
    slices = range(choice.index - spec.neighbours, choice.index + spec.neighbours + 1)
    drawn = [
        draw(pixels, choice.volume, min(max(index, 0), last), spec.canvas, choice.centre)
        for index in slices
    ]
    return np.stack([image for image, _ in drawn]), drawn[spec.neighbours][1]


def locate(
    networks: Sequence[Network],
    spec: LocatorSpec,
    pixels: StudyPixels,
    keypoints: Mapping[str, Keypoints],
    *,
    fold: int | None = None,
) -> Keypoints:
    """Find the points of one study.

    Maps are averaged over networks, over the slices of a group and over the mirrored image turned
    back; the points of several series are averaged in world mm.

    Args:
        networks: of this locator (of one fold for out-of-fold points, of all for new studies).
        spec: the locator.
        pixels: the decoded study.
        keypoints: {locator: points} found so far.
        fold: noted in the result.

    Returns:
        World mm, confidence 0 to 1. Points that were not found, or are not plausible, are absent;
        without a fitting series all are.
    """
    inputs = locator_images(spec, pixels, keypoints)
    if not len(inputs):
        return Keypoints((), np.zeros((0, 3)), np.zeros(0), "network", fold)
    if spec.counted is not None:
        return _count(networks, spec, inputs, fold)
    maps = _maps(networks, spec, inputs)
    found: list[PointSet] = []
    for group in dict.fromkeys(inputs.groups):
        members = [index for index, name in enumerate(inputs.groups) if name == group]
        names = inputs.names[members[0]]
        found.append(decode_points(spec, names, inputs.planes.take(members), maps[members]))
    return plausible(spec, average_points(spec.points, found), fold=fold)


def _count(
    networks: Sequence[Network], spec: LocatorSpec, inputs: LocatorImages, fold: int | None
) -> Keypoints:
    """Return counted points; of several series, those of the surest."""
    import torch

    from overread.inference.counted import counted_points

    best = Keypoints((), np.zeros((0, 3)), np.zeros(0), "network", fold)
    for group in dict.fromkeys(inputs.groups):
        some = inputs.take([i for i, name in enumerate(inputs.groups) if name == group])
        maps, turned = _upright_maps(networks, spec, some)
        rows = spec.pixels[0]
        count = spec.counted or CountSpec()
        found = counted_points(some.planes, torch.from_numpy(maps), spec.points, count, pixels=rows)
        if found is None:
            continue
        points, ends = found
        if not len(best.names) or points.confidence[0] > best.confidence[0]:
            best = Keypoints(
                points.names, points.points, points.confidence, "network", fold, ends, turned
            )
    return best


def _upright_maps(
    networks: Sequence[Network], spec: LocatorSpec, inputs: LocatorImages
) -> tuple[Singles, bool]:
    """Return the mean logits of the maps the right way up, and whether the images were turned."""
    image = normalise(inputs.images)
    stored, reverse, lean = [], [], 0.0
    for network in networks:
        answers = [ask_image(network, one) for one in (image, _flipped(image, -2))]
        stored.append(answers[0]["maps"])
        reverse.append(answers[1]["maps"])
        if spec.turned:
            over = [one[f"class.{UPSIDE_DOWN}"] for one in answers]
            first, second = (over[0] - over[1]).mean(axis=0).tolist()
            lean += second - first
    turned = lean > 0
    return np.mean(reverse if turned else stored, axis=0), turned


def _maps(networks: Sequence[Network], spec: LocatorSpec, inputs: LocatorImages) -> Singles:
    """Return the mean probability maps (n, K, h, w)."""
    image = normalise(inputs.images)
    sideways = spec.canvas.plane in ("axial", "coronal")
    turn = spec.flip and (sideways or spec.neighbours > 0)
    found = []
    for network in networks:
        found.append(_likely(ask_image(network, image)["maps"]))
        if turn:
            turned = _likely(ask_image(network, _flipped(image, -1 if sideways else 1))["maps"])
            found.append(turned[..., ::-1] if sideways else turned)
    maps: Singles = np.mean(found, axis=0, dtype=np.float32)
    return maps


def _flipped(images: Singles, axis: int) -> Singles:
    return np.ascontiguousarray(np.flip(images, axis))


def _likely(logits: Singles) -> Singles:
    """Return the logistic function, which overflows nowhere."""
    likely: Singles = np.exp(-np.logaddexp(np.float32(0), -logits))
    return likely


def location_findings(
    name: str, spec: LocatorSpec, pixels: StudyPixels, points: Keypoints
) -> tuple[Finding, ...]:
    """Say what `locate` did not find, for people.

    Returns:
        Codes "series_missing" (no series to look at), "points_missing", "points_doubtful".
    """
    study = pixels.study
    if not set(spec.series) & study.roles:
        message = (
            f"locator {name} found nothing: it needs a series of role "
            f"{' or '.join(spec.series)}, study {study.id} has {sorted(study.roles) or 'none'}"
        )
        return (Finding("series_missing", "note", message, study=study.id),)
    findings = []
    if points.turned:
        message = (
            f"study {study.id}: its images lie upside down; they are read with rows in reverse "
            f"order, and points hold for that; export them the right way up"
        )
        findings.append(Finding("image_upside_down", "repaired", message, study=study.id))
    missing = [point for point in spec.points if point not in points.names]
    if missing and (spec.counted is None or not points.names):
        message = f"locator {name} did not find {', '.join(missing)} in study {study.id}"
        findings.append(Finding("points_missing", "note", message, study=study.id))
    doubtful = [
        f"{point} ({confidence:.2f})"
        for point, confidence in zip(points.names, points.confidence, strict=True)
        if confidence < spec.trust
    ]
    if doubtful:
        message = f"locator {name} is not sure of {', '.join(doubtful)} in study {study.id}"
        findings.append(Finding("points_doubtful", "note", message, study=study.id))
    return tuple(findings)
