"""From the header of a file to its frames: where each lies, and what sets it apart.

Knows single images and multi-frame files of the old kind; files with functional groups are read
by `enhanced`. Whether frames belong together is decided in `stacking`.
"""

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from overread.imaging.reading import tags
from overread.imaging.reading.header import Header

__all__ = ["FrameHeader", "frames_of", "valid_orientation", "valid_spacing"]

Triple = tuple[float, float, float]
COSINE_TOLERANCE = 1e-3
LARGEST_MM = 1e5  # positions further away than 100 m are no positions


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """One frame before it has a place in a stack.

    Attributes:
        header: of its file.
        index: frame number in the file, from 0.
        position: centre of the first pixel, mm LPS; None where the file has none.
        orientation: row and column direction; None where the file has none.
        spacing: mm between rows, mm between columns; None where the file has none.
        size: rows, columns.
        image_type: upper case, such as ("ORIGINAL", "PRIMARY", "LOCALIZER").
        traits: what may set a repetition apart, by name.
        instance: InstanceNumber, for ties only.
    """

    header: Header
    index: int
    position: Triple | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, float] | None
    size: tuple[int, int]
    image_type: tuple[str, ...] = ()
    traits: dict[str, float | str | None] = field(default_factory=dict)
    instance: float = 0.0

    @property
    def placed(self) -> bool:
        """Whether the frame has a place in the patient."""
        return None not in (self.position, self.orientation, self.spacing)

    @property
    def sop_uid(self) -> str:
        """SOPInstanceUID as written; the file name where it is missing."""
        return self.header.uid(tags.SOP_INSTANCE_UID) or self.header.path.name


def frames_of(header: Header) -> list[FrameHeader]:
    """Return the frames of a file without functional groups."""
    position = _position(header)
    orientation = valid_orientation(header.numbers(tags.ORIENTATION))
    first = FrameHeader(
        header,
        0,
        position,
        orientation,
        _spacing(header),
        (header.short(tags.ROWS) or 0, header.short(tags.COLUMNS) or 0),
        tuple(part.strip().upper() for part in header.text(tags.IMAGE_TYPE).split("\\")),
        _traits(header),
        header.number(tags.INSTANCE_NUMBER) or 0.0,
    )
    if header.num_frames == 1:
        return [first]
    return [_later(first, index, place) for index, place in enumerate(_places(header, first))]


def _position(header: Header) -> Triple | None:
    values = header.numbers(tags.POSITION)
    if len(values) != 3 or max(abs(value) for value in values) > LARGEST_MM:
        return None
    return values[0], values[1], values[2]


@lru_cache(maxsize=4096)
def valid_orientation(values: tuple[float, ...]) -> tuple[float, ...] | None:
    """Return six direction cosines, or None when they describe no plane."""
    if len(values) != 6:
        return None
    row, column = values[:3], values[3:]
    bent = abs(sum(r * c for r, c in zip(row, column, strict=True)))
    if bent > COSINE_TOLERANCE or any(
        abs(math.hypot(*direction) - 1) > COSINE_TOLERANCE for direction in (row, column)
    ):
        return None
    return values


def valid_spacing(values: tuple[float, ...]) -> tuple[float, float] | None:
    """Return (mm between rows, mm between columns), or None when they are no distances."""
    if len(values) != 2 or not all(math.isfinite(v) and 1e-4 < v < 100 for v in values):
        return None
    return values[0], values[1]


def _spacing(header: Header) -> tuple[float, float] | None:
    for tag in (tags.PIXEL_SPACING, tags.IMAGER_PIXEL_SPACING, tags.NOMINAL_SCANNED_SPACING):
        spacing = valid_spacing(header.numbers(tag))
        if spacing:
            return spacing
    return None


def _traits(header: Header) -> dict[str, float | str | None]:
    return {
        "EchoTime": header.number(tags.ECHO_TIME),
        "EchoNumbers": header.number(tags.ECHO_NUMBERS),
        "TemporalPositionIdentifier": header.number(tags.TEMPORAL_POSITION),
        "AcquisitionNumber": header.number(tags.ACQUISITION_NUMBER),
        "InversionTime": header.number(tags.INVERSION_TIME),
        "DiffusionBValue": header.double(tags.DIFFUSION_B_VALUE),
        "FlipAngle": header.number(tags.FLIP_ANGLE),
        "TriggerTime": header.number(tags.TRIGGER_TIME),
        "ImageType": header.text(tags.IMAGE_TYPE) or None,
        "ConvolutionKernel": header.text(tags.CONVOLUTION_KERNEL) or None,
        "ContrastBolusAgent": header.text(tags.CONTRAST_AGENT) or None,
        "AcquisitionTime": header.text(tags.ACQUISITION_TIME) or None,
    }


def _places(header: Header, first: FrameHeader) -> list[Triple | None]:
    """Return the position of each frame of an old multi-frame file (dose grids have offsets)."""
    offsets = header.numbers(tags.GRID_FRAME_OFFSETS)
    if first.position is None or first.orientation is None or len(offsets) != header.num_frames:
        return [None] * header.num_frames
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    # Offsets that do not begin at 0 are positions along the normal (DICOM PS3.3 C.8.8.3.2).
    steps = np.array(offsets) - offsets[0]
    places = np.array(first.position) + steps[:, None] * normal
    return [(float(x), float(y), float(z)) for x, y, z in places]


def _later(first: FrameHeader, index: int, position: Triple | None) -> FrameHeader:
    return FrameHeader(
        first.header,
        index,
        position,
        first.orientation,
        first.spacing,
        first.size,
        first.image_type,
        first.traits,
        first.instance + index,
    )
