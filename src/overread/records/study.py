"""What was found in a folder: studies, series, stacks, frames. Paths, no pixels.

Records only: nothing here opens a file.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from overread.records.planes import Planes

__all__ = ["Finding", "Frame", "RecordError", "Series", "Severity", "Stack", "Study"]

Severity = Literal["refuse", "repaired", "note"]


class RecordError(ValueError):
    """A record that contradicts itself."""


@dataclass(frozen=True)
class Finding:
    """Something a reader of the data should know.

    Attributes:
        code: short and stable, such as "slices_missing".
        severity: "refuse" (set aside), "repaired" (read, after a mend) or "note".
        message: what was wrong, what was found, what was expected, what to do.
        file: path of the file, when it is about one.
        study: study id; None where it is not known.
        series: series id; None where it is not known.
    """

    code: str
    severity: Severity
    message: str
    file: str | None = None
    study: str | None = None
    series: str | None = None


@dataclass(frozen=True)
class Frame:
    """One image: a file, or one frame of a multi-frame file.

    Attributes:
        path: the file.
        sop_instance_uid: as written in the file (may be invalid); the file name for photographs.
        index: frame number in the file, from 0.
    """

    path: Path
    sop_instance_uid: str
    index: int = 0


@dataclass(frozen=True)
class Stack:
    """Frames of one direction in order along the normal, with their planes.

    Attributes:
        frames: in the order of `planes`.
        planes: one per frame.
        role: such as "sagittal_t2"; None when the stack is set aside (a localizer, a repetition).
    """

    frames: tuple[Frame, ...]
    planes: Planes
    role: str | None = None

    def __post_init__(self) -> None:
        """Check that each frame has its plane."""
        if not self.frames or len(self.frames) != len(self.planes):
            raise RecordError(
                f"a stack needs one plane per frame: {len(self.frames)} frames, "
                f"{len(self.planes)} planes"
            )


@dataclass(frozen=True)
class Series:
    """Images of one acquisition.

    Attributes:
        id: the series' folder name or SeriesInstanceUID, as the dataset names it.
        uid: SeriesInstanceUID.
        stacks: at least one; ordered along the patient (right to left, front to back, feet to
            head).
        role: what the series is for, such as "axial_t2"; None when it could not be told.
        role_confidence: 0 to 1.
        role_reason: why.
        modality: DICOM modality, or "PHOTO".
        description: SeriesDescription, for people.
    """

    id: str
    uid: str
    stacks: tuple[Stack, ...]
    role: str | None = None
    role_confidence: float = 0.0
    role_reason: str = ""
    modality: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        """Check that there is something in it."""
        if not self.stacks:
            raise RecordError(f"series {self.id} has no stack")
        if not 0 <= self.role_confidence <= 1:
            raise RecordError(f"role confidence of series {self.id} is not within 0 and 1")

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """All frames, stack by stack."""
        return tuple(frame for stack in self.stacks for frame in stack.frames)

    @cached_property
    def planes(self) -> Planes:
        """All planes, stack by stack, in the order of `frames`."""
        return Planes.join([stack.planes for stack in self.stacks])


@dataclass(frozen=True)
class Study:
    """One examination of one person.

    Attributes:
        id: as the dataset names it (a number, a StudyInstanceUID, a photo's name).
        uid: StudyInstanceUID.
        subject: pseudonym of the person: the unit of splitting. Never a name.
        series: unique ids.
    """

    id: str
    uid: str
    subject: str
    series: tuple[Series, ...] = field(default=())

    def __post_init__(self) -> None:
        """Check that series ids are unique."""
        ids = [series.id for series in self.series]
        if len(set(ids)) != len(ids):
            raise RecordError(f"study {self.id} holds a series id twice: {sorted(ids)}")
        if not self.subject:
            raise RecordError(f"study {self.id} has no subject; folds cannot be told apart")

    def with_role(self, role: str) -> tuple[tuple[Series, Stack], ...]:
        """Return the stacks of this role with their series, in order."""
        return tuple(
            (series, stack)
            for series in self.series
            for stack in series.stacks
            if stack.role == role
        )

    @property
    def roles(self) -> frozenset[str]:
        """The roles that the study has."""
        return frozenset(_roles(self.series))


def _roles(series: Iterable[Series]) -> Iterable[str]:
    return (stack.role for one in series for stack in one.stacks if stack.role)
