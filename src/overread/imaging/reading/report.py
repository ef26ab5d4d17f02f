"""What was found in a folder, and the same as plain JSON for `inspect --json`."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from overread.imaging.reading.gaps import usual_step
from overread.records import Finding, Series, Stack, Study

__all__ = ["Reading", "spacing_along_normal", "tilt_degrees"]


@dataclass(frozen=True)
class Reading:
    """The studies of a folder and everything that a reader of them should know.

    Attributes:
        studies: sorted by id.
        findings: in the order of files, then of series.
    """

    studies: tuple[Study, ...]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values without patient names.

        `studies[].{study_uid, subject, series[].{series_uid, role, role_confidence, stacks[].
        {sop_instance_uids, num_slices, normal, spacing_mm, pixel_spacing_mm, tilt_deg}}}` and
        `findings[].{code, severity, file, study, series, message}`. Findings name studies and
        series by UID. `spacing_mm` and `tilt_deg` are null for one slice, and like `normal` and
        `pixel_spacing_mm` for images without a place in the patient.
        """
        return {
            "studies": [_study(study) for study in self.studies],
            "findings": [
                {
                    "code": finding.code,
                    "severity": finding.severity,
                    "file": finding.file,
                    "study": finding.study,
                    "series": finding.series,
                    "message": finding.message,
                }
                for finding in self.findings
            ],
        }


def spacing_along_normal(stack: Stack) -> float | None:
    """Return the distance of neighbouring slices along the normal, mm; None for one slice.

    Positions are compared along the mean normal, so a gantry tilt does not stretch the distance.
    Gaps do not stretch it either.
    """
    if len(stack.frames) < 2 or stack.planes.space != "patient":
        return None
    along = np.sort(stack.planes.along(stack.planes.normal.mean(0)))
    usual = usual_step(np.diff(along))
    return None if usual is None else round(usual, 6)


def tilt_degrees(stack: Stack) -> float | None:
    """Return the angle between the normal and the direction in which slices are stacked, degrees.

    This is the gantry tilt of a CT whose table moves along the body while the slices lean; blocks
    that are tilted as a whole (axial MR through discs) have 0. None for one slice.
    """
    if len(stack.frames) < 2 or stack.planes.space != "patient":
        return None
    centre, normal = stack.planes.centre, stack.planes.normal.mean(0)
    direction = centre[-1] - centre[0]
    length = float(np.linalg.norm(direction))
    if length == 0:
        return None
    cosine = abs(float(direction @ normal)) / (length * float(np.linalg.norm(normal)))
    return round(float(np.degrees(np.arccos(min(cosine, 1.0)))), 4)


def _study(study: Study) -> dict[str, Any]:
    return {
        "study_uid": study.uid,
        "subject": study.subject,
        "series": [_series(series) for series in study.series],
    }


def _series(series: Series) -> dict[str, Any]:
    return {
        "series_uid": series.uid,
        "role": series.role,
        "role_confidence": series.role_confidence,
        "stacks": [_stack(stack) for stack in series.stacks],
    }


def _stack(stack: Stack) -> dict[str, Any]:
    placed = stack.planes.space == "patient"
    normal, spacing = stack.planes.normal[0], stack.planes.spacing[0]
    return {
        "sop_instance_uids": [frame.sop_instance_uid for frame in stack.frames],
        "num_slices": len(stack.frames),
        "normal": [round(float(v), 9) + 0.0 for v in normal] if placed else None,
        "spacing_mm": spacing_along_normal(stack),
        "pixel_spacing_mm": [float(v) for v in spacing] if placed else None,
        "tilt_deg": tilt_degrees(stack),
    }
