"""Colour to RGB: YBR by the header's word, palettes by their tables."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.imaging.reading.layout import PixelLayout

__all__ = ["palette_to_rgb", "to_rgb"]


def to_rgb(values: NDArray[Any], layout: PixelLayout) -> NDArray[Any]:
    """Return (rows, columns, 3) colours as RGB of the same depth.

    YBR is inverted by PS3.3 C.7.6.3.1.2 (full range, ITU-R BT.601); JPEG 2000 decoders have done
    so already.
    """
    if layout.photometric not in {"YBR_FULL", "YBR_FULL_422"} or layout.wrapping in {
        "jpeg_2000",
        "htj2k",
    }:
        return values
    top = 2**layout.stored - 1
    luma, blue, red = np.moveaxis(values.astype(np.float32), -1, 0)
    blue, red = blue - (top + 1) / 2, red - (top + 1) / 2
    rgb = np.stack(
        [
            luma + np.float32(1.402) * red,
            luma - np.float32(0.344136) * blue - np.float32(0.714136) * red,
            luma + np.float32(1.772) * blue,
        ],
        -1,
    )
    shown: NDArray[Any] = np.clip(np.rint(rgb), 0, top).astype(values.dtype)
    return shown


def palette_to_rgb(values: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return (rows, columns, 3) RGB of palette indices, 8 bits a colour.

    Raises:
        ValueError: if the palette is missing or broken.
    """
    import pydicom  # half a second that grey files need not wait
    from pydicom.pixels import apply_color_lut

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            rgb: NDArray[Any] = apply_color_lut(values, dataset)
        except Exception as error:  # pydicom raises whatever it stumbles over
            raise ValueError(f"the palette cannot be applied ({error})") from error
    return rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)
