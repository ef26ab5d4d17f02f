"""Pixels with their place: a stack that was decoded, or a crop of one."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overread.records.planes import Planes
from overread.records.study import RecordError

__all__ = ["Kind", "Volume"]

Kind = Literal["hu", "raw", "unit"]


@dataclass(frozen=True, eq=False)
class Volume:
    """Pixels and planes. A crop is a Volume, so that any pixel can be traced to the scanner.

    Attributes:
        array: (slices, rows, columns) or (slices, rows, columns, channels); may be a memory map.
            Slices smaller than the array are padded with zeros at the bottom and right;
            `planes.size` tells their true size.
        planes: one per slice.
        kind: "hu" (Hounsfield units), "raw" (scanner units after the rescale slope), "unit" (0-1).
    """

    array: NDArray[np.generic]
    planes: Planes
    kind: Kind = "raw"

    def __post_init__(self) -> None:
        """Check that pixels and planes agree."""
        if self.array.ndim not in (3, 4) or len(self.array) != len(self.planes):
            raise RecordError(
                f"array has shape {self.array.shape}, expected ({len(self.planes)}, rows, columns)"
            )
        if (self.planes.size > np.array(self.array.shape[1:3])).any():
            raise RecordError(
                f"planes of {self.planes.size.max(0)} pixels do not fit {self.array.shape[1:3]}"
            )

    def __len__(self) -> int:
        """Return the number of slices."""
        return len(self.array)
