"""Frames of files with functional groups: enhanced MR, CT, PET and what is built like them.

Reads the groups with pydicom, which knows sequences; the rest of reading walks by itself.
"""

import warnings
from collections.abc import Sequence
from typing import Any

from overread.imaging.reading import tags
from overread.imaging.reading.frames import (
    LARGEST_MM,
    FrameHeader,
    frames_of,
    valid_orientation,
    valid_spacing,
)
from overread.imaging.reading.header import Header
from overread.imaging.reading.rescale import Rescale, checked_rescale, rescale_of

__all__ = ["enhanced_frames", "enhanced_rescales", "has_groups"]

GROUPS = (
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "NumberOfFrames",
    "SpecificCharacterSet",
)


def enhanced_frames(header: Header) -> list[FrameHeader]:
    """Return the frames of a file with functional groups, each with its own plane.

    What a frame does not say is taken from the shared groups, then from the top of the file.

    Raises:
        ValueError: if the groups cannot be read, or do not fit the number of frames.
    """
    shared, groups = _groups(header)
    return [
        _frame(frame, (groups[i] if groups else None, shared))
        for i, frame in enumerate(frames_of(header))
    ]


def enhanced_rescales(header: Header) -> list[Rescale]:
    """Return the rescale of each frame.

    Raises:
        ValueError: if the groups cannot be read.
    """
    shared, groups = _groups(header)
    is_ct = header.text(tags.MODALITY).upper() == "CT"
    sequence = "PixelValueTransformationSequence"
    rescales = []
    for index in range(header.num_frames):
        around = (groups[index] if groups else None, shared)
        slope = _value(around, sequence, "RescaleSlope")
        intercept = _value(around, sequence, "RescaleIntercept")
        if slope is None and intercept is None:
            rescales.append(rescale_of(header))
        else:
            kind = str(_value(around, sequence, "RescaleType") or "")
            written = (
                "" if slope is None else str(slope),
                "" if intercept is None else str(intercept),
            )
            rescales.append(checked_rescale(*written, is_ct=is_ct, kind=kind))
    return rescales


def _groups(header: Header) -> tuple[Any, Any]:
    """Return the shared group and the groups per frame."""
    import pydicom  # only enhanced files need it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(
                header.path, stop_before_pixels=True, force=True, specific_tags=list(GROUPS)
            )
            shared = _first(dataset.get("SharedFunctionalGroupsSequence"))
            groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
        except Exception as error:  # pydicom raises whatever it stumbles over
            raise ValueError(f"the functional groups cannot be read ({error})") from error
    if groups and len(groups) < header.num_frames:
        raise ValueError(f"{len(groups)} functional groups for {header.num_frames} frames")
    return shared, groups


def _frame(top: FrameHeader, groups: Sequence[Any]) -> FrameHeader:
    position = _numbers(groups, "PlanePositionSequence", "ImagePositionPatient")
    orientation = _numbers(groups, "PlaneOrientationSequence", "ImageOrientationPatient")
    spacing = _numbers(groups, "PixelMeasuresSequence", "PixelSpacing")
    place = position if len(position) == 3 and max(map(abs, position)) < LARGEST_MM else None
    return FrameHeader(
        top.header,
        top.index,
        (place[0], place[1], place[2]) if place else top.position,
        valid_orientation(orientation) or top.orientation,
        valid_spacing(spacing) or top.spacing,
        top.size,
        _image_type(groups) or top.image_type,
        {**top.traits, **{k: v for k, v in _traits(groups).items() if v is not None}},
        float(top.index),
    )


def _traits(groups: Sequence[Any]) -> dict[str, float | str | None]:
    number = {
        "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
        "TemporalPositionIdentifier": ("FrameContentSequence", "TemporalPositionIndex"),
        "AcquisitionNumber": ("FrameContentSequence", "FrameAcquisitionNumber"),
        "DiffusionBValue": ("MRDiffusionSequence", "DiffusionBValue"),
        "FlipAngle": ("MRTimingAndRelatedParametersSequence", "FlipAngle"),
        "RepetitionTime": ("MRTimingAndRelatedParametersSequence", "RepetitionTime"),
        "InversionTime": ("MRModifierSequence", "InversionTimes"),
        "TriggerTime": ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    }
    traits: dict[str, float | str | None] = {}
    for name, (sequence, keyword) in number.items():
        values = _numbers(groups, sequence, keyword)
        traits[name] = values[0] if values else None
    kind = _image_type(groups)
    traits["ImageType"] = "\\".join(kind) or None
    stack = _value(groups, "FrameContentSequence", "StackID")
    traits["StackID"] = str(stack) if stack else None
    return traits


def _image_type(groups: Sequence[Any]) -> tuple[str, ...]:
    for sequence in ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence"):
        value = _value(groups, sequence, "FrameType")
        if value:
            return tuple(str(part).upper() for part in value)
    return ()


def _numbers(groups: Sequence[Any], sequence: str, keyword: str) -> tuple[float, ...]:
    value = _value(groups, sequence, keyword)
    if value is None or value == "":
        return ()
    single = isinstance(value, str) or not isinstance(value, Sequence)
    parts = [value] if single else value
    return tuple(float(part) for part in parts)


def _value(groups: Sequence[Any], sequence: str, keyword: str) -> Any:
    for group in groups:
        item = _first(group.get(sequence)) if group is not None else None
        if item is not None and item.get(keyword) is not None:
            return item.get(keyword)
    return None


def _first(sequence: Any) -> Any:
    return sequence[0] if sequence else None


def has_groups(header: Header) -> bool:
    """Tell whether the file carries functional groups."""
    return header.has(tags.SHARED_GROUPS) or header.has(tags.PER_FRAME_GROUPS)
