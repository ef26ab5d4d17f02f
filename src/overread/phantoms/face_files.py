"""Writes photographs in the layout of the mask-status challenge, and the dirt of a real collection.

What a photograph shows is not known here.
"""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

__all__ = ["PersonRows", "Style", "write_companions", "write_photo", "write_table"]

Style = Literal["clean", "hospital"]
QUALITY = 92
# How often a photograph of a real collection is stored in another way.
ODD = {"jpeg": 0.12, "png": 0.12, "palette": 0.05, "rgba": 0.05, "grey": 0.04, "turned": 0.04}
EXIF_ORIENTATION, LIES_LEFT = 0x0112, 6


@dataclass(frozen=True)
class PersonRows:
    """A person of the table, and what is true of the photographs.

    Attributes:
        id: digits.
        gender, race, age: as in the folder's name.
        photos: {look: what it shows}.
        about: anything else that is known.
    """

    id: str
    gender: str
    race: str
    age: int
    photos: dict[str, dict[str, Any]]
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Name of the person's folder."""
        return f"{self.id}_{self.gender}_{self.race}_{self.age}"


def write_photo(
    place: Path, image: NDArray[np.uint8], *, style: Style, rng: np.random.Generator
) -> str:
    """Write a photograph (without a suffix in `place`) and return how it is stored."""
    kind = "jpg"
    if style == "hospital":
        kinds, chances = list(ODD), list(ODD.values())
        kind = str(rng.choice(["jpg", *kinds], p=[1 - sum(chances), *chances]))
    picture = Image.fromarray(image)
    if kind in ("jpg", "jpeg"):
        picture.save(place.with_suffix(f".{kind}"), "JPEG", quality=QUALITY)
    elif kind == "turned":
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = LIES_LEFT
        lying = picture.transpose(Image.Transpose.ROTATE_90)
        lying.save(place.with_suffix(".jpg"), "JPEG", quality=QUALITY, exif=exif)
    else:
        stored = {
            "png": picture,
            "palette": picture.quantize(128),
            "rgba": picture.convert("RGBA"),
            "grey": picture.convert("L"),
        }[kind]
        stored.save(place.with_suffix(".png"), "PNG")
    return kind


def write_table(path: Path, rows: list[PersonRows]) -> None:
    """Write the table of persons; call it last, as a seal."""
    table = pl.DataFrame(
        {
            "id": [row.id for row in rows],
            "gender": [row.gender for row in rows],
            "race": [row.race for row in rows],
            "age": [row.age for row in rows],
            "path": [row.folder for row in rows],
        }
    )
    table.write_csv(path)


def write_companions(person: Path, image: NDArray[np.uint8]) -> dict[str, str]:
    """Leave a broken copy, and the hidden companion that one system leaves of each file.

    Returns:
        {file: what is wrong with it}.
    """
    whole = io.BytesIO()
    Image.fromarray(image).save(whole, "JPEG", quality=QUALITY)
    (person / "mask5.jpg").unlink(missing_ok=True)
    for suffix in (".jpeg", ".png"):
        (person / "mask5").with_suffix(suffix).unlink(missing_ok=True)
    (person / "mask5.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 3])
    (person / "._mask1.jpg").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    return {"mask5.jpg": "cut short", "._mask1.jpg": "no picture"}
