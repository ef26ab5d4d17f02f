"""Compressed and raw slices to arrays, beside pydicom with its plugins, GDCM and SimpleITK.

A forged head CT of 512 x 512 pixels of 16 bits, 12 of which count, is written once for each
transfer syntax. Ours is `decode`: a whole stack in HU. The others read file by file and stop at the
stored values, which is less. What a reader cannot read is left out, what it reads otherwise than
what was written is an error.
"""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gdcm
import imagecodecs
import numpy as np
import pydicom
import SimpleITK
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder, pixel_array

from benchmarks.timing import Row, because, compare
from overread.imaging import read_studies
from overread.imaging.reading import decode
from overread.phantoms import forge_head_ct
from overread.records import Stack

__all__ = ["rows"]

SLICES = 24
# Why a target may be missed; see decision 6 for the decoders that were left out.
WHY = {
    "raw": "the header is read and checked with each slice, which takes about as long as its "
    "pixels",
    "JPEG-LS": "ours decodes with GDCM as the fastest of the others does, then reads the header "
    "and makes HU; the faster decoders hide errors on broken frames",
    "JPEG 2000": "GDCM decodes a slice with two threads, ours with one and less work in all: see "
    "the ratio of the processor",
}
INTERCEPT = -1024
PLAIN = "pydicom pixel_array"
Pixels = NDArray[np.uint16]


def _jpeg_2000(pixels: Pixels) -> bytes:
    options = {"codecformat": "j2k", "reversible": True, "bitspersample": 12}
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=0, **options))


SYNTAXES: dict[str, tuple[str, Callable[[Pixels], bytes] | None]] = {
    "raw": (pydicom.uid.ExplicitVRLittleEndian, None),
    "RLE": (pydicom.uid.RLELossless, None),
    "JPEG-LS": (pydicom.uid.JPEGLSLossless, imagecodecs.jpegls_encode),
    "JPEG 2000": (pydicom.uid.JPEG2000Lossless, _jpeg_2000),
    "HTJ2K": (pydicom.uid.HTJ2KLossless, partial(imagecodecs.htj2k_encode, reversible=True)),
}


def rows(folder: Path, *, slices: int = SLICES, names: tuple[str, ...] = ()) -> Iterator[Row]:
    """Yield a row for each transfer syntax."""
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    forge_head_ct(folder / "forged", num_studies=1, seed=1, pixels=512, workers=1)
    originals = [pydicom.dcmread(path) for path in sorted((folder / "forged").rglob("*.dcm"))]
    originals.sort(key=lambda one: float(one.ImagePositionPatient[2]))
    for name in names or SYNTAXES:
        paths = written(originals[:slices], name, folder / name.replace(" ", "_"))
        yield row(name, paths)


def written(originals: list[Dataset], name: str, folder: Path) -> dict[Path, Pixels]:
    """Write the slices in one syntax; return what each file holds."""
    folder.mkdir()
    syntax, encode = SYNTAXES[name]
    held: dict[Path, Pixels] = {}
    for number, original in enumerate(originals):
        dataset = pydicom.dcmread(original.filename)
        values = original.pixel_array.astype(np.int32) * int(original.RescaleSlope)
        values = values + int(original.RescaleIntercept) - INTERCEPT
        pixels = np.clip(values, 0, 4095).astype(np.uint16)
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset.PixelRepresentation = 0
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, INTERCEPT
        dataset.Rows, dataset.Columns = pixels.shape
        if "PixelPaddingValue" in dataset:
            del dataset.PixelPaddingValue
        dataset.PixelData = pixels.tobytes()
        dataset["PixelData"].VR = "OW"
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        if encode is not None:
            dataset.PixelData = encapsulate([encode(pixels)])
            dataset["PixelData"].VR = "OB"
            dataset["PixelData"].is_undefined_length = True
            dataset.file_meta.TransferSyntaxUID = syntax
        elif name != "raw":
            dataset.compress(syntax, generate_instance_uid=False)
        path = folder / f"{number:02}.dcm"
        pydicom.dcmwrite(path, dataset)
        held[path] = pixels
    return held


def row(name: str, held: dict[Path, Pixels]) -> Row:
    """Check all readers against what was written, and time those that read it."""
    paths = list(held)
    (study,) = read_studies(paths[0].parent).studies
    (stack,) = study.series[0].stacks
    _check_ours(stack, held)
    readers = {
        reader: partial(_read_all, read, paths)
        for reader, read in _readers(SYNTAXES[name][0]).items()
        if _reads(reader, read, held)
    }
    raw = name == "raw"
    found = compare(
        f"decode a {name} slice of 512 x 512",
        "slice",
        partial(decode, stack),
        readers,
        per=len(paths),
        target=6.0 if raw else 1.0,
        against=PLAIN if raw else None,
        note="ours reads and checks the header too, and gives HU in a stack",
    )
    return because(found, WHY.get(name, ""))


def _check_ours(stack: Stack, held: dict[Path, Pixels]) -> None:
    found = decode(stack).array
    for frame, image in zip(stack.frames, found, strict=True):
        if not np.array_equal(image, held[frame.path].astype(np.int32) + INTERCEPT):
            raise ValueError(f"{frame.path.name}: decoded values are not those that were written")


def _reads(reader: str, read: Callable[[Path], Any], held: dict[Path, Pixels]) -> bool:
    """Tell whether a reader can read the first file; refuse one that reads it wrongly."""
    path = next(iter(held))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = np.squeeze(np.asarray(read(path)))
    except Exception:  # noqa: BLE001 - each library raises errors of its own
        return False
    expected = held[path].astype(np.int32)
    if np.array_equal(found, expected) or np.array_equal(found, expected + INTERCEPT):
        return True
    raise ValueError(f"{reader} reads {path.name} otherwise than it was written")


def _readers(syntax: str) -> dict[str, Callable[[Path], Any]]:
    readers: dict[str, Callable[[Path], Any]] = {"GDCM": _gdcm, "SimpleITK": _itk}
    if syntax == pydicom.uid.ExplicitVRLittleEndian:
        return {PLAIN: _pixel_array, **readers}
    for plugin in get_decoder(syntax).available_plugins:
        readers[f"pydicom with {plugin}"] = partial(_plugin, plugin)
    return readers


def _read_all(read: Callable[[Path], Any], paths: list[Path]) -> list[Any]:
    return [read(path) for path in paths]


def _pixel_array(path: Path) -> NDArray[Any]:
    return pydicom.dcmread(path).pixel_array


def _plugin(plugin: str, path: Path) -> NDArray[Any]:
    return pixel_array(pydicom.dcmread(path), decoding_plugin=plugin)


def _itk(path: Path) -> NDArray[Any]:
    values: NDArray[Any] = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    return values


def _gdcm(path: Path) -> NDArray[Any]:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    if not reader.Read():
        raise ValueError(f"{path.name}: GDCM cannot read it")
    image = reader.GetImage()
    raw = image.GetBuffer().encode("utf-8", "surrogateescape")
    shape = (image.GetDimension(1), image.GetDimension(0))
    return np.frombuffer(raw, np.uint16).reshape(shape)
