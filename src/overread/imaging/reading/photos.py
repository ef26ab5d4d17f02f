"""Read a photograph the way up that it was taken, in grey or RGB.

Knows pictures (PNG, JPEG, WEBP, TIFF, BMP, GIF ...), not DICOM.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ["IMAGE_SUFFIXES", "PhotoError", "image_size", "read_image"]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"})

GREY_16 = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I"})
MOST_PIXELS = 2**28  # 268 megapixels; more is a bomb
ORIENTATION = 0x0112  # EXIF 2.32, section 4.6.4 A
LYING = frozenset({5, 6, 7, 8})  # orientations that exchange rows and columns


class PhotoError(ValueError):
    """A picture that cannot be read.

    Attributes:
        path: the file.
        why: what was wrong.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}; save it again, or leave it out")
        self.path = path
        self.why = why


def image_size(path: Path) -> tuple[int, int]:
    """Return rows and columns that `read_image` will give; reads the header alone.

    Raises:
        PhotoError: if the file is no picture, or is absurdly large.
    """
    with _opened(path) as picture:
        lying = picture.getexif().get(ORIENTATION) in LYING
        return picture.size if lying else (picture.height, picture.width)


def read_image(path: Path) -> NDArray[Any]:
    """Return a picture, turned as its EXIF orientation says.

    Palettes are resolved, transparency is dropped (what lies below is kept), CMYK becomes RGB, and
    of an animation the first frame is read.

    Returns:
        (rows, columns, 3) uint8 for colour, (rows, columns) uint8 for grey, uint16 for 16-bit grey.

    Raises:
        PhotoError: if the file is no picture, is broken, or is absurdly large.
    """
    with _opened(path) as picture:
        picture.seek(0)
        picture.load()
        return _plain(ImageOps.exif_transpose(picture))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture of a sound size; whatever goes wrong with it is a PhotoError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                _check_size(picture)
                yield picture
    except UnidentifiedImageError as error:
        raise PhotoError(path, "not a picture of a known kind") from error
    except Image.DecompressionBombError as error:
        raise PhotoError(path, "more pixels than a photograph has") from error
    except Exception as error:  # each format's reader raises errors of its own
        why = str(error) or type(error).__name__
        raise PhotoError(path, f"the picture cannot be decoded ({why})") from error


def _check_size(picture: Image.Image) -> None:
    if picture.width * picture.height > MOST_PIXELS:
        raise ValueError(f"{picture.width} x {picture.height} pixels are no photograph")


def _plain(picture: Image.Image) -> NDArray[Any]:
    """Return grey or RGB values of a picture of any mode."""
    if picture.mode in GREY_16:
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
            raise ValueError(f"grey values from {values.min()} to {values.max()}")
        return values.astype(np.uint16)
    if picture.mode in {"L", "1"}:
        return np.array(picture.convert("L"))
    if picture.mode == "LA":
        return np.array(picture.getchannel("L"))
    if picture.mode == "F":
        raise ValueError("floating point pixels are not a photograph")
    if picture.mode == "P" and _is_grey_palette(picture):
        return np.array(picture.convert("L"))
    if picture.mode == "RGBA":
        return np.ascontiguousarray(np.asarray(picture)[..., :3])
    return np.array(picture.convert("RGB"))


def _is_grey_palette(picture: Image.Image) -> bool:
    """Tell whether the palette holds greys alone: then two-dimensional is what is meant."""
    palette = np.array(picture.getpalette("RGB") or [0], np.uint8)
    if len(palette) % 3:
        return False
    colours = palette.reshape(-1, 3)
    used = np.unique(np.asarray(picture))
    shown = colours[used[used < len(colours)]]
    return bool((shown == shown[:, :1]).all())
