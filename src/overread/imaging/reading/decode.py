"""Decode a stack: the pixels of its frames, in its order, as output values with their planes.

The only door to DICOM pixels. What a frame shows, and where, is decided elsewhere.
"""

import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.imaging.reading import tags
from overread.imaging.reading.colour import palette_to_rgb, to_rgb
from overread.imaging.reading.enhanced import enhanced_rescales, has_groups
from overread.imaging.reading.header import Header, read_header
from overread.imaging.reading.layout import PixelLayout, layout_of
from overread.imaging.reading.photos import IMAGE_SUFFIXES, read_image
from overread.imaging.reading.plain import plain_pixels
from overread.imaging.reading.rescale import Rescale, rescale_of
from overread.imaging.reading.stored import stored_frames
from overread.records import Stack, Volume

__all__ = ["DecodeError", "decode"]

Pixels = NDArray[Any]
INT16 = np.iinfo(np.int16)


class DecodeError(ValueError):
    """A file whose pixels cannot be decoded.

    Attributes:
        path: the file.
        why: what was wrong.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}; leave the series out, or export it again")
        self.path = path
        self.why = why


def decode(stack: Stack) -> Volume:
    """Return the pixels of a stack after the modality rescale.

    Grey images become int16 where every value is a whole number that fits, float32 otherwise;
    colour images become RGB (uint8, uint16). MONOCHROME1 is inverted, so that bright is high.
    Slices smaller than the largest are padded with zeros at the bottom and right. Photographs of
    16 bits lose the lower eight, so that one window fits all.

    Returns:
        (slices, rows, columns) or (slices, rows, columns, 3), kind "hu" for CT with a sound
        rescale and "raw" otherwise.

    Raises:
        DecodeError: if a file cannot be read or decoded.
    """
    plain = plain_pixels(stack)
    if plain is not None:
        return Volume(plain[0], stack.planes, "hu" if plain[1] else "raw")
    by_path: dict[Path, list[int]] = defaultdict(list)
    for place, frame in enumerate(stack.frames):
        by_path[frame.path].append(place)
    slices: list[Pixels] = [np.empty(0)] * len(stack.frames)
    hounsfield = True
    for path, places in by_path.items():
        indices = [stack.frames[place].index for place in places]
        try:
            images, in_hu = _decode_file(path, indices)
        except (ValueError, OSError, MemoryError) as error:
            raise DecodeError(path, str(error)) from error
        hounsfield = hounsfield and in_hu
        for place, image in zip(places, images, strict=True):
            if image.shape[:2] != tuple(stack.planes.size[place]):
                raise DecodeError(
                    path, f"{image.shape[:2]} pixels, {stack.planes.size[place]} read"
                )
            slices[place] = _as_bytes(image) if stack.role == "photo" else image
    return Volume(_stacked(slices), stack.planes, "hu" if hounsfield else "raw")


def _decode_file(path: Path, indices: Sequence[int]) -> tuple[list[Pixels], bool]:
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return [_plain(read_image(path))], False
    header = read_header(path)
    layout = layout_of(header)
    frames = stored_frames(header, layout, indices)
    if layout.photometric == "PALETTE COLOR":
        return [palette_to_rgb(frame, path) for frame in frames], False
    if layout.samples == 3:
        return [to_rgb(frame, layout) for frame in frames], False
    if layout.photometric == "MONOCHROME1":
        frames = [_inverted(frame, layout) for frame in frames]
    if header.has(tags.MODALITY_LUT):
        return [_looked_up(frame, path) for frame in frames], False
    rescales = _rescales(header, indices)
    images = [_rescaled(f, r) for f, r in zip(frames, rescales, strict=True)]
    return images, all(rescale.hounsfield for rescale in rescales)


def _as_bytes(image: Pixels) -> Pixels:
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image


def _plain(image: Pixels) -> Pixels:
    """Return an image as grey where its colours are all grey."""
    if image.ndim == 3 and (image == image[..., :1]).all():
        return image[..., 0]
    return image


def _rescales(header: Header, indices: Sequence[int]) -> list[Rescale]:
    if has_groups(header):
        per_frame = enhanced_rescales(header)
        return [per_frame[index] for index in indices]
    return [rescale_of(header)] * len(indices)


def _inverted(values: Pixels, layout: PixelLayout) -> Pixels:
    if layout.floating:
        return -values
    return ~values if layout.signed else (2**layout.stored - 1 - values.astype(np.int64))


def _rescaled(values: Pixels, rescale: Rescale) -> Pixels:
    whole = values.dtype.kind in "iu" and values.dtype.itemsize <= 2
    if whole and rescale.slope == 1 and rescale.intercept.is_integer():
        plus = int(rescale.intercept)
        low, high = int(values.min()) + plus, int(values.max()) + plus
        if low < INT16.min or high > INT16.max:
            return values.astype(np.int32) + np.int32(plus)
        # Modulo 2^16 the sum is right, since it fits.
        words = values.astype(np.uint16)
        words += np.uint16(plus % 2**16)
        return words.view(np.int16)
    wide = values.astype(np.float64)
    if rescale.slope == 1 and rescale.intercept == 0:
        return wide
    return wide * rescale.slope + rescale.intercept


def _looked_up(values: Pixels, path: Path) -> Pixels:
    import pydicom  # half a second that plain files need not wait
    from pydicom.pixels import apply_modality_lut

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            looked_up: Pixels = apply_modality_lut(values, dataset)
        except Exception as error:  # pydicom raises whatever it stumbles over
            raise ValueError(f"the modality LUT cannot be applied ({error})") from error
    return looked_up.astype(np.int64)


def _stacked(slices: Sequence[Pixels]) -> Pixels:
    """Return slices of any sizes as one array of the narrowest honest type."""
    colour = any(image.ndim == 3 for image in slices)
    if colour:
        dtype: Any = np.result_type(*(image.dtype for image in slices if image.ndim == 3))
    else:
        dtype = np.int16 if all(_fits_int16(image) for image in slices) else np.float32
    rows = max(image.shape[0] for image in slices)
    columns = max(image.shape[1] for image in slices)
    stacked = np.zeros((len(slices), rows, columns, *((3,) if colour else ())), dtype)
    for place, image in enumerate(slices):
        shown = image[..., None] if colour and image.ndim == 2 else image
        stacked[place, : image.shape[0], : image.shape[1]] = shown
    return stacked


def _fits_int16(image: Pixels) -> bool:
    if image.dtype.kind == "f":
        return False
    return image.dtype == np.int16 or bool(image.min() >= INT16.min and image.max() <= INT16.max)
