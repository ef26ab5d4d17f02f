"""What a locator is trained on: the inputs that it will be asked with, and true points on them.

The loop and the disk are not known here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overread.imaging import StudyPixels, augment_image, pixels_to_cells, render_heatmaps
from overread.inference.counted import counted_loss, counted_targets, turn_over
from overread.inference.locate import LocatorImages, locator_images
from overread.inference.locator import UPSIDE_DOWN, LocatorSpec
from overread.inference.locator_networks import maps_of
from overread.learning import Outputs, map_focal_loss
from overread.records import Keypoints

__all__ = ["LocatorExamples", "locator_examples", "locator_loss", "trusted_points"]

# A chain of fewer points says too little to be trusted.
LEAST_COUNTED = 4
Pieces = tuple[LocatorImages, NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class LocatorExamples:
    """Inputs with their true points; augmented when a generator is given.

    Attributes:
        spec: the locator.
        images: (n, channels, rows, columns) float16, 0 to 1.
        points_px: (n, K, 2) column and row on the input; 0 where absent.
        present: (n, K) the point is there.
        known: (n, K) whether it is there is known; the loss looks at these maps only.
        studies: (n,) ids.
    """

    spec: LocatorSpec
    images: NDArray[np.float16]
    points_px: NDArray[np.float32]
    present: NDArray[np.bool_]
    known: NDArray[np.bool_]
    studies: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of inputs."""
        return len(self.images)

    def batch(
        self, indices: Sequence[int], *, generator: torch.Generator | None
    ) -> dict[str, Tensor]:
        """Return some inputs with their points.

        Args:
            indices: which inputs.
            generator: given for training.

        Returns:
            "image" (B, C, H, W) in -1..1, "points" (B, K, 2) px, "present" and "known" (B, K).
        """
        index = list(indices)
        images = torch.from_numpy(self.images[index].astype(np.float32))
        points = torch.from_numpy(self.points_px[index])
        present = torch.from_numpy(self.present[index])
        if generator is not None:
            images, points, present = augment_image(
                images, points, present, self.spec.augment, generator=generator
            )
        batch = {
            "image": images * 2 - 1,
            "points": points,
            "present": present,
            "known": torch.from_numpy(self.known[index]),
        }
        if generator is not None and self.spec.turned:
            turn_over(batch, self.spec.turned, generator)
        return batch


def locator_examples(
    spec: LocatorSpec,
    studies: Iterable[tuple[StudyPixels, Mapping[str, Keypoints], Keypoints]],
) -> LocatorExamples:
    """Draw the inputs of studies with true points.

    Args:
        spec: the locator.
        studies: decoded study, {locator: points found so far}, true points. Read one by one, so
            that a generator needs the memory of one study.

    Returns:
        The inputs on which at least one point is known.
    """
    pieces: list[Pieces] = []
    names: list[str] = []
    for pixels, keypoints, truth in studies:
        source = pixels.turned() if truth.turned else pixels
        inputs = locator_images(spec, source, keypoints, every_series=spec.learn == "all")
        if len(inputs) and truth.names:
            points, present = _project(spec, inputs, truth)
            known = present if spec.absent == "unknown" else np.ones_like(present)
            kept = np.flatnonzero(known.any(1))
            kept = np.repeat(kept, spec.repeat if truth.source == "truth" else 1)
            pieces.append((inputs.take(kept), points[kept], present[kept], known[kept]))
            names += [pixels.study.id] * len(kept)
    shape = (0, spec.channels, *spec.pixels)
    taught = 3 * len(spec.points) if spec.counted is not None else spec.maps
    images = [piece[0].images.astype(np.float16) for piece in pieces]
    return LocatorExamples(
        spec,
        np.concatenate([np.zeros(shape, np.float16), *images]),
        np.concatenate([np.zeros((0, taught, 2), np.float32), *(p[1] for p in pieces)]),
        np.concatenate([np.zeros((0, taught), np.bool_), *(p[2] for p in pieces)]),
        np.concatenate([np.zeros((0, taught), np.bool_), *(p[3] for p in pieces)]),
        tuple(names),
    )


def _trusted(spec: LocatorSpec, points: Keypoints) -> bool:
    if spec.counted is not None:
        return len(points.names) >= LEAST_COUNTED and float(points.confidence[0]) >= spec.trust
    sure = float(points.confidence.min(initial=1.0)) >= spec.trust
    return sure and set(points.names) >= set(spec.points)


def _project(
    spec: LocatorSpec, inputs: LocatorImages, truth: Keypoints
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the true points on each input (n, K, 2) px, and which of them there are (n, K)."""
    if spec.counted is not None:
        return counted_targets(inputs.planes, truth, spec.points)
    maps = len(inputs.names[0])
    points = np.zeros((len(inputs), maps, 2), np.float32)
    present = np.zeros((len(inputs), maps), np.bool_)
    for index, names in enumerate(inputs.names):
        for number, name in enumerate(names):
            point = truth.get(name)
            if point is not None:
                points[index, number] = inputs.planes.to_pixels([index], point[None])[0][0]
                present[index, number] = True
    return points, present


def locator_loss(
    spec: LocatorSpec, outputs: Outputs, batch: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Return {"total": focal loss of Gaussian maps, where points are known}.

    Source: RSNA 2024 lumbar spine, 3rd place (section "Key-point network").
    """
    logits = maps_of(outputs)
    rows, columns = logits.shape[-2:]
    if spec.counted is not None:
        over = outputs.get(f"class.{UPSIDE_DOWN}") if isinstance(outputs, Mapping) else None
        stride, radius = spec.pixels[0] // rows, spec.heat.radius
        return counted_loss(logits, batch, stride=stride, radius=radius, over=over)
    points, present = batch["points"].to(logits.device), batch["present"].to(logits.device)
    cells = pixels_to_cells(points, spec.pixels[0] // rows)
    target = render_heatmaps(cells, (rows, columns), radius=spec.heat.radius, valid=present)
    known = batch["known"].to(logits.device)[:, :, None, None]
    heat = spec.heat
    return {
        "total": map_focal_loss(logits, target, alpha=heat.alpha, gamma=heat.gamma, weights=known)
    }


def trusted_points(
    spec: LocatorSpec, found: Mapping[str, Keypoints], truth: Mapping[str, Keypoints]
) -> dict[str, Keypoints]:
    """Return the points for the next generation: the truth, and found points to be trusted.

    A study without truth takes part if all points of the locator were found, each with at least
    the confidence `spec.trust`.

    Args:
        spec: the locator.
        found: {study: points}, out of fold.
        truth: {study: true points}.
    """
    trusted = {
        study: points
        for study, points in found.items()
        if study not in truth and _trusted(spec, points)
    }
    return {**trusted, **truth}
