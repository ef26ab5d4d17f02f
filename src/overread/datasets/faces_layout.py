"""Where photographs of faces lie, and what their names tell: no pixels, no labels.

Three layouts: persons' folders ({id}_{gender}_{race}_{age}/{mask1 ... normal}.jpg) as in training,
a folder of test photographs with info.csv, and any other folder of pictures.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from overread.imaging import IMAGE_SUFFIXES
from overread.records import Finding

__all__ = ["Photo", "find_photos", "images_below"]

PERSON = re.compile(
    r"^(?P<id>\d+(?:-\d+)?)_(?P<gender>male|female)_(?P<race>[^_]+)_(?P<age>\d{1,3})$"
)
LOOK = re.compile(r"^(?:mask[1-5]|incorrect_mask|normal)$")
PLACES = (Path("train/images"), Path("images"), Path("eval/images"))


@dataclass(frozen=True)
class Photo:
    """A file and what its name and its folder's name tell.

    Attributes:
        path: of the picture.
        study: id of the photograph.
        person: id of the person; the photograph's own where the person is not known.
        look: "mask1" ... "mask5", "incorrect_mask" or "normal"; None where not told.
        gender: "male" or "female"; None where not told.
        age: in years; None where not told.
    """

    path: Path
    study: str
    person: str
    look: str | None = None
    gender: str | None = None
    age: int | None = None


def images_below(folder: Path) -> Path:
    """Return the folder that holds the images: train/images, images, eval/images or itself."""
    return next((folder / place for place in PLACES if (folder / place).is_dir()), folder)


def find_photos(folder: Path) -> tuple[tuple[Photo, ...], tuple[Finding, ...]]:
    """Return the photographs of a folder (or one file) in order, and what a reader should know.

    Hidden files, such as the "._" companions that one system leaves, are passed over.
    """
    if folder.is_file():
        return (Photo(folder, folder.name, folder.name),), ()
    root = images_below(folder)
    paths = sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and not _hidden(path, root)
    )
    twice = _twice(paths)
    photos = tuple(_photo(path, root, twice) for path in paths)
    return photos, tuple(_findings(photos, twice))


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _twice(paths: Sequence[Path]) -> frozenset[str]:
    """Return the ids that several folders carry."""
    folders = {path.parent for path in paths}
    ids = Counter(person["id"] for folder in folders if (person := PERSON.match(folder.name)))
    return frozenset(name for name, count in ids.items() if count > 1)


def _photo(path: Path, root: Path, twice: frozenset[str]) -> Photo:
    person, look = PERSON.match(path.parent.name), LOOK.match(path.stem)
    if person is None or look is None:
        name = path.relative_to(root).as_posix()
        return Photo(path, name, name)
    name = f"{person['id']}_{person['age']}" if person["id"] in twice else person["id"]
    return Photo(
        path,
        f"{name}_{path.stem}",
        person["id"],
        path.stem,
        person["gender"],
        int(person["age"]),
    )


def _findings(photos: Sequence[Photo], twice: frozenset[str]) -> Iterator[Finding]:
    for name in sorted(twice):
        yield Finding(
            "person_twice",
            "note",
            f"found two folders of person {name}, expected one; they are read as one person, so "
            "that folds hold them together; rename one if they are two people",
        )
    nameless = [photo for photo in photos if photo.look is None]
    if nameless and len(nameless) < len(photos):
        yield Finding(
            "name_unknown",
            "note",
            f"found {len(nameless)} photographs whose names tell no person and no mask, such as "
            f"{nameless[0].study}; expected {{id}}_{{gender}}_{{race}}_{{age}}/{{mask1 ... mask5 | "
            "incorrect_mask | normal}; they have no labels; rename them or ignore this",
        )
