"""A study with its decoded pixels."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from overread.imaging.windows import percentiles
from overread.records import RecordError, Series, Stack, Study, Volume

__all__ = ["StudyPixels", "study_stacks"]


def study_stacks(study: Study) -> tuple[tuple[Series, Stack], ...]:
    """Return the stacks that have a role, with their series: those whose pixels are wanted."""
    return tuple(
        (series, stack)
        for series in study.series
        for stack in series.stacks
        if stack.role is not None
    )


@dataclass(frozen=True, eq=False)
class StudyPixels:
    """A study and the volumes of its stacks; volumes may be memory maps.

    Attributes:
        study: what was found.
        volumes: one for each stack with a role, in the order of `study_stacks`.
    """

    study: Study
    volumes: tuple[Volume, ...]

    def __post_init__(self) -> None:
        """Check that each stack has its volume."""
        lengths = [len(stack.frames) for _, stack in study_stacks(self.study)]
        if lengths != [len(volume) for volume in self.volumes]:
            raise RecordError(
                f"study {self.study.id} has stacks of {lengths} slices but volumes of "
                f"{[len(volume) for volume in self.volumes]}"
            )

    def with_role(self, role: str) -> tuple[tuple[Series, Stack, Volume], ...]:
        """Return the stacks of this role with their series and pixels, in order."""
        return tuple(
            (series, stack, volume)
            for (series, stack), volume in zip(study_stacks(self.study), self.volumes, strict=True)
            if stack.role == role
        )

    def turned(self) -> "StudyPixels":
        """Return the study with every image upside down; kept, since each site asks again."""
        return self._turned

    @cached_property
    def _turned(self) -> "StudyPixels":
        volumes = []
        for volume in self.volumes:
            array = np.zeros_like(volume.array)
            for index, (rows, columns) in enumerate(volume.planes.size):
                array[index, :rows, :columns] = volume.array[index, :rows, :columns][::-1]
            volumes.append(Volume(array, volume.planes, volume.kind))
        return StudyPixels(self.study, tuple(volumes))

    def limits(
        self, volume: Volume, index: int, percentile: tuple[float, float]
    ) -> tuple[float, float]:
        """Return two percentiles of a whole slice; kept, since each site asks for them again."""
        key = (id(volume), index, percentile)
        if key not in self._limits:
            rows, columns = volume.planes.size[index]
            pixels = np.asarray(volume.array[index, :rows, :columns])
            self._limits[key] = percentiles(pixels, percentile)
        return self._limits[key]

    @cached_property
    def _limits(self) -> dict[tuple[int, int, tuple[float, float]], tuple[float, float]]:
        return {}
