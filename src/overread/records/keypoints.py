"""Named points in patient space."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.records.study import RecordError

__all__ = ["Keypoints"]


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Points of one study. A point that was not found is absent, never a filler.

    Attributes:
        names: unique, such as the levels "L1/L2" ... "L5/S1".
        points: (n, 3) mm, LPS (px for photographs: x, y, 0).
        confidence: (n,) 0 to 1.
        source: "truth", "network" or "person".
        fold: the fold whose networks made them (None for truth, and for all folds together).
        ends: (n, 2, 3) mm, front and back end of the thing whose middle each point is; None where
            a locator does not look for ends.
        turned: the image was stored upside down: points hold for its rows in reverse order.
    """

    names: tuple[str, ...]
    points: NDArray[np.float64]
    confidence: NDArray[np.float64]
    source: str = "truth"
    fold: int | None = None
    ends: NDArray[np.float64] | None = None
    turned: bool = False

    def __post_init__(self) -> None:
        """Check shapes, uniqueness and finiteness."""
        points = np.asarray(self.points, np.float64).reshape(-1, 3)
        confidence = np.asarray(self.confidence, np.float64).reshape(-1)
        if len(set(self.names)) != len(self.names):
            raise RecordError(f"point names are not unique: {self.names}")
        if not len(self.names) == len(points) == len(confidence):
            raise RecordError(
                f"{len(self.names)} names, {len(points)} points, {len(confidence)} confidences"
            )
        if not np.isfinite(points).all():
            raise RecordError("a point is not finite; leave out what was not found")
        if self.ends is not None:
            ends = np.asarray(self.ends, np.float64)
            if ends.shape != (len(points), 2, 3) or not np.isfinite(ends).all():
                raise RecordError(f"ends have shape {ends.shape}, expected ({len(points)}, 2, 3)")
            object.__setattr__(self, "ends", ends)
        points.setflags(write=False)
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "confidence", confidence)

    @staticmethod
    def of(points: dict[str, Sequence[float]], *, source: str = "truth") -> "Keypoints":
        """Return sure points from {name: (x, y, z)}."""
        return Keypoints(
            tuple(points),
            np.array([list(point) for point in points.values()], np.float64).reshape(-1, 3),
            np.ones(len(points)),
            source,
        )

    def get(self, name: str) -> NDArray[np.float64] | None:
        """Return the point (3,) called `name`, or None."""
        return self.points[self.names.index(name)] if name in self.names else None

    def ordered(self, names: Sequence[str]) -> "Keypoints":
        """Return the points among `names`, in that order."""
        index = [self.names.index(name) for name in names if name in self.names]
        return Keypoints(
            tuple(self.names[i] for i in index),
            self.points[index],
            self.confidence[index],
            self.source,
            self.fold,
            None if self.ends is None else self.ends[index],
            self.turned,
        )
