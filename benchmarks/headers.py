"""Headers of 10,000 files to an index, beside plain pydicom; and what a second run reads again.

The files are two forged studies, copied under other UIDs; behind the header lie holes instead of
pixels, so that 10,000 of them fit on any disk.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom

from benchmarks.timing import Row, compare
from overread.datasets import Dataset
from overread.imaging import read_studies
from overread.imaging.reading import Reading
from overread.phantoms import forge_lumbar
from overread.pipeline.dataset_files import load_dataset, save_dataset
from overread.pipeline.keys import digest_folder
from overread.records import Labels

__all__ = ["rows"]

FILES = 10_000
UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
INDEXED = (
    *UIDS,
    "PatientID",
    "Modality",
    "SeriesDescription",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
)


def rows(folder: Path, *, files: int = FILES) -> Iterator[Row]:
    """Yield the row of a first reading, and that of a second one."""
    forge_lumbar(folder / "forged", num_studies=2, seed=1, workers=1)
    paths = multiplied(folder / "forged", folder / "many", files)
    check(read_studies(folder / "many"), paths)
    yield compare(
        f"headers of {len(paths):,} files to an index",
        "folder",
        lambda: read_studies(folder / "many"),
        {
            "pydicom, whole headers": lambda: by_pydicom(paths),
            "pydicom, named tags": lambda: by_pydicom(paths, specific_tags=list(INDEXED)),
        },
        repeats=3,
        target=4.0,
        note="UIDs and positions of all files are compared before; ours also sorts into stacks, "
        "looks for copies and gaps, and guesses roles",
    )
    yield again(folder / "many", folder / "read")


def multiplied(source: Path, target: Path, count: int) -> list[Path]:
    """Write `count` files: studies again and again, as other patients; pixels are holes."""
    heads = [_head(path) for path in sorted(source.rglob("*.dcm"))]
    written: list[Path] = []
    copy = 0
    while True:
        for name, head, size, uids, patient in heads:
            if len(written) == count:
                return written
            for uid in uids:
                head = head.replace(uid, _other(uid, copy))  # noqa: PLW2901
            place = target / "train_images" / f"{copy}{name.parts[-3]}" / Path(*name.parts[-2:])
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as file:
                file.write(head.replace(patient, _other(patient, copy)))
                file.truncate(size)
            written.append(place)
        copy += 1


def _head(path: Path) -> tuple[Path, bytes, int, list[bytes], bytes]:
    """Return name, header, size, UIDs and patient of a file."""
    data = path.read_bytes()
    dataset = pydicom.dcmread(path)
    uids = [str(dataset[name].value).encode() for name in UIDS]
    header = data[: len(data) - len(dataset.PixelData)]
    return path, header, len(data), uids, str(dataset.PatientID).encode()


def _other(value: bytes, copy: int) -> bytes:
    """Return an identifier of the same length with another end."""
    return value[:-5] + b"%05d" % ((int(value[-5:]) + 7 * copy) % 100_000)


def by_pydicom(paths: list[Path], **options: Any) -> list[dict[str, Any]]:
    """Return a row a file, as a plain loop makes it."""
    found = []
    for path in paths:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, **options)
        found.append({name: dataset.get(name) for name in INDEXED})
    return found


def check(reading: Reading, paths: list[Path]) -> None:
    """Refuse an index that says other than pydicom of any file."""
    ours = {
        frame.path: (study.uid, series.uid, frame.sop_instance_uid, tuple(plane.round(6)))
        for study in reading.studies
        for series in study.series
        for stack in series.stacks
        for frame, plane in zip(stack.frames, stack.planes.origin, strict=True)
    }
    theirs = {
        path: (
            row["StudyInstanceUID"],
            row["SeriesInstanceUID"],
            row["SOPInstanceUID"],
            tuple(round(float(value), 6) for value in row["ImagePositionPatient"]),
        )
        for path, row in zip(paths, by_pydicom(paths), strict=True)
    }
    wrong = [path for path in paths if ours.get(path) != theirs[path]]
    if wrong or len(ours) != len(paths):
        raise ValueError(
            f"{len(wrong)} of {len(paths)} files are indexed otherwise than pydicom reads them, "
            f"such as {wrong[:1]}: {[ours.get(path) for path in wrong[:1]]}"
        )


def again(folder: Path, entry: Path) -> Row:
    """Return the row of a second run: the folder's digest, and the index from its entry."""
    entry.mkdir()
    reading = read_studies(folder)
    save_dataset(entry, Dataset(reading.studies, reading.findings, Labels.empty()), folder)

    def second() -> None:
        digest_folder(folder)
        load_dataset(entry, folder)

    opened = count_opened(folder, second)
    if opened:
        raise ValueError(f"the second run opened {opened} files below {folder}; expected none")
    return compare(
        "the same folder again: its digest, and the index from the store",
        "folder",
        second,
        {"the first time": lambda: read_studies(folder)},
        repeats=3,
        note="no image file is opened: counted by an audit hook",
    )


def count_opened(folder: Path, action: Callable[[], Any]) -> int:
    """Return how many image files below a folder an action opens."""
    names: set[str] = set()
    watching = True
    root = os.fspath(folder)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event == "open" and isinstance(arguments[0], (str, os.PathLike)):
            name = os.fspath(arguments[0])
            if str(name).startswith(root) and str(name).endswith(".dcm"):
                names.add(str(name))

    sys.addaudithook(hook)
    action()
    watching = False
    return len(names)
