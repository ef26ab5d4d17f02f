"""Forges folders of face photographs with and without masks, in the layout of the challenge.

Faces are drawn, or masks are laid over real photographs of a folder. A person depends on seed and
place alone, so ten persons are the first ten of twenty.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.imaging import read_image
from overread.phantoms.face_drawing import draw_face, photographed
from overread.phantoms.face_files import (
    PersonRows,
    Style,
    write_companions,
    write_photo,
    write_table,
)
from overread.phantoms.face_masks import KINDS, Fit, lay_mask
from overread.phantoms.face_people import make_person
from overread.phantoms.face_photos import PhotoOf, photos_of
from overread.phantoms.face_shape import FaceShape, shape_of_photo
from overread.phantoms.streams import stream

__all__ = ["forge_faces"]

Image = NDArray[np.uint8]
LOOKS = ("mask1", "mask2", "mask3", "mask4", "mask5", "incorrect_mask", "normal")
LOOKS_OF_PHOTOS = ("mask1", "incorrect_mask", "normal")
WRONG: tuple[Fit, ...] = ("nose_out", "nose_out", "chin")
BROKEN_EVERY = 10
# Published repairs name persons by six digits; persons that are forged have seven.
FIRST_ID = 9_000_000


def forge_faces(
    folder: Path,
    *,
    num_people: int,
    seed: int,
    style: Style = "clean",
    photos: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Forge photographs of persons, masked properly, masked wrongly and without a mask.

    Drawn persons have seven photographs; of a real photograph there are three: as it is, with a
    mask, and with a mask worn wrongly. `phantom_truth.json` tells what each shows.

    Args:
        folder: where to write; made if absent, must not hold images yet.
        num_people: how many, at least one.
        seed: of everything random; not negative.
        style: "clean", or "hospital": other formats, palettes, transparency, lying pictures, a file
            cut short and hidden companions of files.
        photos: folder of aligned photographs with a table; None = faces are drawn.
        on_progress: called with (persons done, persons in all).

    Raises:
        ValueError: if `num_people` or `seed` cannot be, or the photographs cannot be used.
        FileExistsError: if the folder holds images already.
    """
    if num_people < 1 or seed < 0:
        raise ValueError(f"found {num_people} persons, seed {seed}; expected 1 and 0 or more")
    images = folder / "train" / "images"
    if images.exists():
        raise FileExistsError(f"{images} holds images already; choose an empty folder")
    images.mkdir(parents=True)
    chosen = photos_of(photos, num_people, seed=seed) if photos else [None] * num_people
    rows = []
    for index, photo in enumerate(chosen):
        person = _drawn(seed, index) if photo is None else _dressed(photo, seed, index)
        rows.append(_write(images, *person, style=style, rng=stream(seed, index, "files")))
        if on_progress is not None:
            on_progress(len(rows), num_people)
    truth = {"people": [{"id": row.id, "photos": row.photos, **row.about} for row in rows]}
    text = json.dumps(truth, indent=1)
    (folder / "phantom_truth.json").write_text(text + "\n", encoding="utf-8")
    write_table(folder / "train" / "train.csv", rows)


def _drawn(seed: int, index: int) -> tuple[PersonRows, Iterator[tuple[str, Image]]]:
    """Return a drawn person, and the photographs one by one."""
    person = make_person(seed, index)
    photos = {look: _mask_of(look, stream(seed, index, f"mask {look}")) for look in LOOKS}
    name = str(FIRST_ID + index + 1)
    rows = PersonRows(name, person.gender, "drawn", person.age, photos)

    def images() -> Iterator[tuple[str, Image]]:
        for look, shown in photos.items():
            rng = stream(seed, index, f"photo {look}")
            image, shape = draw_face(person, rng)
            yield look, photographed(_masked(image, shape, shown, rng), rng)

    return rows, images()


def _dressed(
    photo: PhotoOf, seed: int, index: int
) -> tuple[PersonRows, Iterator[tuple[str, Image]]]:
    """Return the person of a photograph, and the photograph with and without masks."""
    photos = {look: _mask_of(look, stream(seed, index, f"mask {look}")) for look in LOOKS_OF_PHOTOS}
    stem = photo.path.stem
    number = int(stem) if stem.isdecimal() and int(stem) < FIRST_ID // 10 else index + 1
    about = {"from": photo.name}
    name = str(FIRST_ID + number)
    rows = PersonRows(name, photo.gender, photo.race, photo.age, photos, about)

    def images() -> Iterator[tuple[str, Image]]:
        plain = read_image(photo.path)
        colour = plain if plain.ndim == 3 else np.repeat(plain[..., None], 3, axis=2)
        shape = shape_of_photo(colour)
        for look, shown in photos.items():
            rng = stream(seed, index, f"photo {look}")
            image = _masked(colour, shape, shown, rng)
            yield look, image if (colour.std(axis=2) > 2).any() else _grey(image)

    return rows, images()


def _grey(image: Image) -> Image:
    """Return the picture without colours: cloth must not be the only coloured thing in it."""
    grey = np.round(image.mean(axis=2)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _masked(
    image: Image, shape: FaceShape, shown: Mapping[str, Any], rng: np.random.Generator
) -> Image:
    if shown["kind"] is None:
        return image
    return lay_mask(image, shape, kind=shown["kind"], fit=shown["fit"], rng=rng)


def _mask_of(look: str, rng: np.random.Generator) -> dict[str, Any]:
    """Return kind and fit of the mask of a look."""
    if look == "normal":
        return {"kind": None, "fit": None}
    fit: Fit = WRONG[rng.integers(len(WRONG))] if look == "incorrect_mask" else "worn"
    return {"kind": str(rng.choice(list(KINDS))), "fit": fit}


def _write(
    images: Path,
    rows: PersonRows,
    photos: Iterator[tuple[str, Image]],
    *,
    style: Style,
    rng: np.random.Generator,
) -> PersonRows:
    place = images / rows.folder
    place.mkdir()
    last: Image | None = None
    for look, image in photos:
        rows.photos[look]["stored"] = write_photo(place / look, image, style=style, rng=rng)
        last = image
    if style == "hospital" and last is not None and rng.integers(BROKEN_EVERY) == 0:
        rows.about["dirt"] = write_companions(place, last)
    return rows
