"""The crops of all units of a study in one view: made, kept on disk, read back as they are needed.

What the crops are for is not known here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from overread.imaging import Cut, StudyPixels, ViewSpec, cut, scan_slices
from overread.inference.file_array import FileArray
from overread.records import Keypoints, Rubric, Study

__all__ = [
    "StudyCuts",
    "UnitCrops",
    "cut_study",
    "load_cuts",
    "save_cuts",
    "study_units",
    "units_of",
]


class UnitCrops(NamedTuple):
    """Crops of one unit: (slices, channels, rows, columns), (slices,), (slices,)."""

    pixels: NDArray[np.float16]
    mask: NDArray[np.bool_]
    offsets_mm: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class StudyCuts:
    """Crops of n units in one view; pixels may be on disk.

    Where all units have one crop, as in views of a whole study, arrays have one row: m = 1, else n.

    Attributes:
        units: ids.
        sites: of the units; None without sites.
        pixels: (m, slices, channels, rows, columns) float16, 0 to 1, with the view's margin.
        mask: (m, slices) False = missing.
        offsets_mm: (m, slices) distance of a slice from the unit's point.
        planes: (m, slices, 4) the slice's unit normal and its distance from the origin along it,
            world mm; None where crops were kept without it.
    """

    units: tuple[str, ...]
    sites: tuple[str | None, ...]
    pixels: NDArray[np.float16] | FileArray
    mask: NDArray[np.bool_]
    offsets_mm: NDArray[np.float32]
    planes: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.units)

    def of(self, index: int) -> UnitCrops:
        """Return the crops of one unit."""
        row = self.row(index)
        return UnitCrops(self.pixels[row], self.mask[row], self.offsets_mm[row])

    def row(self, index: int) -> int:
        """Return where in the arrays the crops of a unit stand."""
        return index if len(self.mask) == len(self.units) else 0

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Whether anything is shown of each unit, (n,)."""
        return np.array([self.mask[self.row(unit)].any() for unit in range(len(self))], np.bool_)


def study_units(rubric: Rubric, study: str) -> tuple[tuple[str, str | None], ...]:
    """Return (unit id, site) of all units of a study, in the rubric's order."""
    if rubric.unit != "site":
        return ((rubric.unit_id(study), None),)
    return tuple((rubric.unit_id(study, site), site) for site in rubric.sites)


def units_of(rubric: Rubric, study: Study) -> tuple[tuple[str, str | None], ...]:
    """Return (unit id, site) of all units of a study that was read; slices in order from the feet.

    Slices are those of its stacks with the role "ct".
    """
    if rubric.unit != "slice":
        return study_units(rubric, study.id)
    return tuple(scan_slices([study]).select("unit", "site").iter_rows())


def cut_study(
    view: ViewSpec,
    pixels: StudyPixels,
    keypoints: Mapping[str, Keypoints],
    units: Sequence[tuple[str, str | None]],
) -> tuple[StudyCuts, tuple[Cut, ...]]:
    """Cut one view for all units of a study.

    Args:
        view: how to cut.
        pixels: the decoded study.
        keypoints: {locator: points}.
        units: (unit id, site), as `study_units` gives them.

    Returns:
        The arrays for networks, and the cuts of the units with their planes and frames for people.
    """
    sites = [site for _, site in units] if view.by_unit else [None]
    cuts = tuple(cut(view, pixels, keypoints, site) for site in sites)
    arrays = StudyCuts(
        tuple(unit for unit, _ in units),
        tuple(site for _, site in units),
        np.stack([one.pixels for one in cuts]),
        np.stack([one.mask for one in cuts]),
        np.stack([one.offsets_mm for one in cuts]),
        np.stack([_planes(one) for one in cuts]),
    )
    return arrays, cuts if view.by_unit else cuts * len(units)


def _planes(cut: Cut) -> NDArray[np.float64]:
    normal = cut.planes.normal
    away = np.einsum("ij,ij->i", normal, cut.planes.origin)
    return np.concatenate([normal, away[:, None]], axis=1)


def save_cuts(folder: Path, cuts: StudyCuts) -> None:
    """Write the crops of one study and view: .npy files and units.json."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "pixels.npy", cuts.pixels)
    np.save(folder / "mask.npy", cuts.mask)
    np.save(folder / "offsets.npy", cuts.offsets_mm)
    if cuts.planes is not None:
        np.save(folder / "planes.npy", cuts.planes)
    index = {"units": cuts.units, "sites": cuts.sites}
    (folder / "units.json").write_text(json.dumps(index), encoding="utf-8")


def load_cuts(folder: Path) -> StudyCuts:
    """Read what `save_cuts` wrote; pixels stay on disk until they are used."""
    index = json.loads((folder / "units.json").read_text(encoding="utf-8"))
    return StudyCuts(
        tuple(index["units"]),
        tuple(index["sites"]),
        FileArray(folder / "pixels.npy"),
        np.load(folder / "mask.npy"),
        np.load(folder / "offsets.npy"),
        np.load(planes) if (planes := folder / "planes.npy").is_file() else None,
    )
