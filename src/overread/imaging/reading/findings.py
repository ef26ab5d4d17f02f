"""What may be wrong with files: every code, its severity, and the remedy in words.

Findings are collected while reading; nothing here looks at files.
"""

from dataclasses import dataclass, field
from pathlib import Path

from overread.records import Finding, Severity

__all__ = ["CODES", "Findings"]

CODES: dict[str, tuple[Severity, str]] = {
    "path_missing": ("refuse", "Check the path."),
    "folder_unreadable": ("refuse", "Check the rights of the folder."),
    "no_files": ("note", "Name the folder that holds the images."),
    "empty_file": ("refuse", "Copy it again from its source."),
    "unreadable_file": ("refuse", "Check the rights of the file, and the disk."),
    "archive": ("refuse", "Unpack it first."),
    "not_dicom": ("note", "Nothing to do if it does not belong to the images."),
    "not_dicom_image": ("refuse", "Export it again as DICOM."),
    "truncated_header": ("refuse", "Copy it again from its source."),
    "corrupt_header": ("refuse", "Export it again."),
    "no_pixels": ("note", "Nothing to do: such objects hold no images."),
    "pixels_missing": ("refuse", "Copy or export it again."),
    "pixels_truncated": ("refuse", "Copy or export it again."),
    "pixels_inconsistent": ("refuse", "Export it again; the attributes contradict one another."),
    "frames_repaired": ("repaired", "Export it again if frames are missing."),
    "transfer_syntax_unsupported": ("refuse", "Export it in another transfer syntax."),
    "groups_unreadable": ("refuse", "Export it again, or as single frames."),
    "uid_invalid": ("note", "Used as they are; other software may refuse them."),
    "uid_missing": ("repaired", "Export again with UIDs if series seem to be mixed up."),
    "sop_uid_repeated": ("note", "All were kept; export with unique SOPInstanceUIDs."),
    "duplicate": ("note", "Set aside; delete one of the copies."),
    "patient_differs": ("refuse", "Export the study of each patient again, apart."),
    "patients_mixed": ("note", "Nothing to do if several patients are meant to share a folder."),
    "position_missing": ("refuse", "Export with ImagePositionPatient."),
    "orientation_missing": ("refuse", "Export with ImageOrientationPatient."),
    "spacing_missing": ("refuse", "Export with PixelSpacing."),
    "spacing_repaired": ("repaired", "Check distances in this series."),
    "slices_missing": ("note", "Look for the missing files, or send the series again."),
    "spacing_unequal": ("note", "Nothing to do: each slice keeps its own plane."),
    "positions_repeat": ("note", "Read as separate stacks; one keeps the role."),
    "sizes_mixed": ("note", "Smaller slices are padded when they are decoded."),
    "localizer_mixed": ("note", "The localizers were set aside."),
    "monochrome1": ("repaired", "Inverted when decoded, so that bright is high."),
    "rescale_missing": ("note", "Values are not in HU; export with RescaleSlope and -Intercept."),
    "rescale_wrong": ("repaired", "Read without the rescale; check the values."),
    "role_unknown": ("note", "Give the role in the table of roles if the series is needed."),
    "role_unused": ("note", "Check the spelling in the table of roles."),
    "animation": ("note", "Only the first frame is read."),
}


@dataclass
class Findings:
    """Collects findings; file names are made relative to the folder that is read.

    Attributes:
        root: the folder.
        found: what was found, in order.
    """

    root: Path
    found: list[Finding] = field(default_factory=list)

    def add(
        self,
        code: str,
        what: str,
        *,
        file: Path | None = None,
        study: str | None = None,
        series: str | None = None,
    ) -> None:
        """Add a finding: `what` was wrong; place and remedy are added to its words."""
        severity, remedy = CODES[code]
        name = self.relative(file) if file else None
        places = [f"{name}: " if name else ""]
        if series:
            places.append(f"series {series}: ")
        elif study:
            places.append(f"study {study}: ")
        message = f"{''.join(places)}{what.rstrip('.')}. {remedy}"
        self.found.append(Finding(code, severity, message, name, study, series))

    def relative(self, file: Path) -> str:
        """Return the path of a file below the folder, with slashes; unprintable bytes escaped."""
        base = self.root.parent if self.root.is_file() else self.root
        try:
            name = file.relative_to(base).as_posix()
        except ValueError:
            name = file.name
        return name.encode("utf-8", "backslashreplace").decode("utf-8")
