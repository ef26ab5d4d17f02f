"""The PNG files of the SPIDER copy: what they are called, how large they are, what masks show.

Knows no tables of grades.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overread.datasets.spider_masks import DiscPoints, disc_points
from overread.imaging import PhotoError, read_image
from overread.records import Finding, Frame, Keypoints, Planes, Stack

__all__ = ["Picture", "find_pictures", "lift_masks", "to_stack"]

NAME = re.compile(r"^(?P<patient>\d+)_(?P<scan>t1|t2|t2_SPACE)(?P<slice>_slice\d+)?$")
ROLES = {"t1": "sagittal_t1", "t2": "sagittal_t2", "t2_SPACE": "sagittal_t2_space"}
SIGNATURE = b"\x89PNG\r\n\x1a\n"
IMAGES, MASKED, MASKS = "midsagittal", "t2_space_images", "t2_space_masks"


@dataclass(frozen=True)
class Picture:
    """A file and what its name tells.

    Attributes:
        path: of the PNG.
        patient: number, as text.
        scan: "t1", "t2" or "t2_SPACE".
        mask: path of its mask, if it has one.
    """

    path: Path
    patient: str
    scan: str
    mask: Path | None = None

    @property
    def role(self) -> str:
        """What the series is for."""
        return ROLES[self.scan] + ("_masked" if self.mask else "")

    def spacing(
        self, table: Mapping[str, str | None], assumed: float
    ) -> tuple[tuple[float, float], tuple[Finding, ...]]:
        """Return mm between rows and between columns; assumed (and told) where not known."""
        text = table.get(f"{self.patient}_{self.scan}") or ""
        found = [float(number) for number in re.findall(r"\d*\.?\d+(?:[eE][-+]?\d+)?", text)]
        if len(found) == 2 and min(found) > 0:
            return (found[0], found[1]), ()
        message = (
            f"overview.csv tells no PixelSpacing of {self.path.name} (found "
            f'"{text}"); {assumed} mm is assumed; sizes in mm may be wrong: add a row'
        )
        told = Finding("spacing_unknown", "repaired", message, self.path.name, self.patient)
        return (assumed, assumed), (told,)


def find_pictures(folder: Path, *, masked: bool) -> tuple[tuple[Picture, ...], tuple[Finding, ...]]:
    """Return the images of a folder (or one file), in order, and names that tell nothing."""
    inside = folder / IMAGES if (folder / IMAGES).is_dir() else folder
    paths = [folder] if folder.is_file() else sorted(inside.glob("*.png"))
    pictures, findings = [], []
    for path in paths:
        name = NAME.match(path.stem)
        if name:
            pictures.append(Picture(path, name["patient"], name["scan"]))
        else:
            findings.append(_nameless(path))
    for path in sorted((folder / MASKED).glob("*.png")) if masked else ():
        name, mask = NAME.match(path.stem), folder / MASKS / path.name
        if name and mask.is_file():
            pictures.append(Picture(path, name["patient"], name["scan"], mask))
        else:
            findings.append(_nameless(path))
    return tuple(pictures), tuple(findings)


def _nameless(path: Path) -> Finding:
    return Finding(
        "name_unknown",
        "refuse",
        f"{path.name}: expected {{patient}}_{{t1|t2|t2_SPACE}}.png (and a mask of the same name "
        "for slices); the image is left out; rename it",
        path.name,
    )


def to_stack(
    picture: Picture, spacing: tuple[float, float]
) -> tuple[Stack | None, tuple[Finding, ...]]:
    """Return one frame with its plane, or why the file is no PNG. Pixels are not decoded here."""
    with picture.path.open("rb") as file:
        start = file.read(24)
    # PNG (ISO/IEC 15948): signature, length and name of the first chunk, width, height.
    if len(start) < 24 or not start.startswith(SIGNATURE) or start[12:16] != b"IHDR":
        why = f"{picture.path.name} is no PNG; it is left out; export it again"
        return None, (Finding("image_unreadable", "refuse", why, picture.path.name),)
    columns, rows = struct.unpack(">II", start[16:24])
    frame = Frame(picture.path, picture.path.name)
    return Stack((frame,), Planes.of_images([(rows, columns)], spacing), picture.role), ()


def lift_masks(
    pictures: Sequence[Picture], table: Mapping[str, str | None], assumed: float
) -> tuple[dict[Picture, dict[str, Keypoints]], tuple[Finding, ...]]:
    """Return {picture: {set: points}} of the pictures with masks, mm in the picture's own frame.

    Set: "discs", their middles with front and back ends; names disc1 (the lowest) upwards.
    """
    lifted: dict[Picture, dict[str, Keypoints]] = {}
    findings = []
    for picture in pictures:
        if picture.mask is None:
            continue
        try:
            mask = _grey(read_image(picture.mask))
        except PhotoError as error:
            findings.append(_useless(picture.mask, str(error)))
            continue
        discs = disc_points(mask)
        if not discs:
            findings.append(_useless(picture.mask, "the lowest disc is not drawn"))
            continue
        planes = Planes.of_images([mask.shape], picture.spacing(table, assumed)[0])
        lifted[picture] = {"discs": _lifted(planes, discs)}
    return lifted, tuple(findings)


def _lifted(planes: Planes, discs: Mapping[int, DiscPoints]) -> Keypoints:
    names = tuple(f"disc{number}" for number in discs)
    parts = [(one.middle, one.front, one.back) for one in discs.values()]
    flat = np.array(parts, np.float64).reshape(-1, 2)
    world = planes.to_world(np.zeros(len(flat), np.int64), flat).reshape(len(names), 3, 3)
    return Keypoints(names, world[:, 0], np.ones(len(names)), ends=world[:, 1:])


def _grey(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.asarray(image if image.ndim == 2 else image[..., 0], np.uint8)


def _useless(mask: Path, why: str) -> Finding:
    return Finding(
        "mask_incomplete",
        "note",
        f"{mask.name}: {why}, so discs cannot be numbered; no points are taken from it",
        mask.name,
    )
