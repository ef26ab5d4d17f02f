"""An array on disk that is opened for each look and held open by nobody.

A mapped file costs an open file and a mapping for as long as the array lives, and a process has
about a thousand of the one and 65,000 of the other: fewer than there are studies. What the array
is of is not known here.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

__all__ = ["FileArray"]


@dataclass(frozen=True)
class FileArray:
    """The array of a .npy file.

    Attributes:
        path: the file; its header is read at the first look and must not change.
    """

    path: Path

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Return a part; what is read of the file is that part."""
        dtype, shape, offset = self._layout
        with self.path.open("rb") as file:
            bits = mmap(file.fileno(), 0, access=ACCESS_READ)
        if len(bits) - offset < math.prod(shape) * dtype.itemsize:
            raise ValueError(
                f"{self.path}: found {len(bits) - offset} bytes of numbers, expected those of "
                f"{shape} {dtype}; it was cut short, make it again"
            )
        # Five times as fast as numpy.memmap, which looks up the whole path for each small part.
        part: NDArray[Any] = np.ndarray(shape, dtype, bits, offset)[index]
        return part

    def __array__(
        self, dtype: DTypeLike | None = None, *, copy: bool | None = None
    ) -> NDArray[Any]:
        """Return the whole array, read into memory."""
        return np.array(self[...], dtype)

    @cached_property
    def _layout(self) -> tuple[np.dtype[Any], tuple[int, ...], int]:
        with self.path.open("rb") as file:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, turned, dtype = read(file)
            if turned or dtype.hasobject:
                raise ValueError(f"{self.path}: expected plain numbers in row order")
            return dtype, shape, file.tell()
