"""Drawn faces, and masks laid over faces as they lie."""

import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from overread.imaging import image_size
from overread.phantoms import forge_faces
from overread.phantoms.face_drawing import HEIGHT, WIDTH, draw_face
from overread.phantoms.face_masks import KINDS, lay_mask
from overread.phantoms.face_people import make_person
from overread.phantoms.face_photos import PhotoTableError, age_of_band, photos_of
from overread.phantoms.face_shape import FaceShape, shape_of_photo

SHAPE = FaceShape(axis=56, left=20, right=92, eyes=33, bridge=43, nose=57, mouth=75, chin=100)
SKIN, GROUND = (205, 160, 130), (40, 60, 90)


def plain_face(*, left: float = 20, right: float = 92) -> np.ndarray:
    """An aligned photograph of nothing but skin before a ground."""
    y, x = np.mgrid[:112, :112]
    inside = (x > left) & (x < right) & (y < 104)
    return np.where(inside[..., None], SKIN, GROUND).astype(np.uint8)


def changed(image: np.ndarray, *, kind: str = "beak", fit: str = "worn") -> np.ndarray:
    """Where a mask changed the picture a lot."""
    masked = lay_mask(image, SHAPE, kind=kind, fit=fit, rng=np.random.default_rng(4))
    return np.abs(masked.astype(int) - image).max(axis=-1) > 30


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_worn_mask_covers_nose_and_mouth_and_leaves_eyes(kind: str) -> None:
    """Every kind, in its right place."""
    cloth = changed(plain_face(), kind=kind)

    assert cloth[54:90, 50:62].mean() > 0.9
    assert not cloth[:38].any()
    assert not cloth[50:80, :12].any()


def test_a_mask_worn_wrongly_leaves_the_nose_free() -> None:
    """Below the nose the mouth is covered; below the mouth it is free as well."""
    out, chin = changed(plain_face(), fit="nose_out"), changed(plain_face(), fit="chin")

    assert not out[:56, 45:67].any()
    assert out[76:92, 50:62].mean() > 0.9
    assert not chin[:78, 50:62].any()
    assert chin[92:98, 50:62].mean() > 0.9


def test_the_side_of_a_photographed_face_is_found() -> None:
    """A face that ends earlier on one side is found narrower there, and turned to that side."""
    straight = shape_of_photo(plain_face(left=20, right=91))
    turned = shape_of_photo(plain_face(left=34, right=100))

    assert [straight.left, straight.right] == pytest.approx([20, 91], abs=3)
    assert [turned.left, turned.right] == pytest.approx([34, 100], abs=3)
    assert turned.axis < straight.axis - 5


def test_a_face_that_melts_into_the_ground_is_taken_to_look_ahead() -> None:
    """Without any edge the usual place is taken."""
    shape = shape_of_photo(np.full((112, 112, 3), SKIN, np.uint8))

    assert (shape.left + shape.right) / 2 == pytest.approx(shape.axis, abs=2)
    assert 60 < shape.right - shape.left < 90


def test_drawn_faces_show_where_they_lie() -> None:
    """Skin between the sides at the eyes, ground outside; a function of person and chance."""
    person = make_person(3, 1)
    image, shape = draw_face(person, np.random.default_rng(2))
    again, _ = draw_face(make_person(3, 1), np.random.default_rng(2))
    cheek = image[int(shape.nose), int(shape.left + 0.75 * (shape.right - shape.left))]

    assert image.shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(image, again)
    assert np.abs(cheek / 255 - person.skin).max() < 0.12


def test_age_and_gender_show_in_many_persons() -> None:
    """Old hair is greyer, brows of men are thicker, and each class occurs."""
    people = [make_person(0, index) for index in range(300)]
    old = np.mean([min(p.hair) for p in people if p.age >= 60])
    young = np.mean([min(p.hair) for p in people if p.age < 30])
    brows = {g: np.mean([p.brow for p in people if p.gender == g]) for g in ("male", "female")}
    classes = {(p.gender, (p.age >= 30) + (p.age >= 60)) for p in people}

    assert old > young + 0.3
    assert brows["male"] > brows["female"] + 0.4
    assert len(classes) == 6


def digests(folder: Path) -> dict[str, str]:
    """{file below the folder: hash}."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_one_person_is_the_first_of_two(tmp_path: Path) -> None:
    """Persons depend on seed and place alone; the tables tell what was drawn."""
    forge_faces(tmp_path / "one", num_people=1, seed=7)
    forge_faces(tmp_path / "two", num_people=2, seed=7)
    one, two = digests(tmp_path / "one"), digests(tmp_path / "two")
    photos = {name: digest for name, digest in one.items() if name.endswith(".jpg")}
    truth = json.loads((tmp_path / "two" / "phantom_truth.json").read_text())

    assert len(photos) == 7
    assert photos.items() <= two.items()
    assert truth["people"][0]["photos"]["normal"]["kind"] is None
    assert truth["people"][1]["photos"]["mask2"]["kind"] in KINDS
    with pytest.raises(FileExistsError, match="holds images already"):
        forge_faces(tmp_path / "one", num_people=1, seed=7)


def test_real_dirt(tmp_path: Path) -> None:
    """Several formats, pictures that lie, palettes and transparency all open as pictures."""
    forge_faces(tmp_path, num_people=4, seed=2, style="hospital")
    truth = json.loads((tmp_path / "phantom_truth.json").read_text())
    stored = {photo["stored"] for person in truth["people"] for photo in person["photos"].values()}
    paths = list((tmp_path / "train" / "images").glob("*/[!.]*"))
    modes = set()
    for path in paths:
        with Image.open(path) as picture:
            modes.add(picture.mode)

    assert {"jpg", "png", "palette"} <= stored
    assert {"RGB", "P"} <= modes


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder in the layout of FairFace, with the dates that a spreadsheet made of bands."""
    folder = tmp_path / "photos"
    (folder / "train").mkdir(parents=True)
    rows = [("3", "03-Sep", "Female"), ("7", "Oct-19", "Male"), ("20", "more than 70", "Male")]
    for name, _, _ in rows:
        Image.fromarray(plain_face()).save(folder / "train" / f"{name}.jpg")
    table = {
        "file": [f"train/{name}.jpg" for name, _, _ in rows] + ["train/gone.jpg"],
        "age": [age for _, age, _ in rows] + ["20-29"],
        "gender": [gender for _, _, gender in rows] + ["Male"],
        "race": ["Latino_Hispanic"] * 4,
    }
    pl.DataFrame(table).write_csv(folder / "labels.csv")
    return folder


def test_masks_are_laid_over_photographs(photographs: Path, tmp_path: Path) -> None:
    """Each photograph as it is, masked, and masked wrongly; ages are the middle of the band."""
    forge_faces(tmp_path / "out", num_people=3, seed=0, photos=photographs)
    people = {path.name: path for path in (tmp_path / "out" / "train" / "images").iterdir()}

    assert set(people) == {
        "9000003_female_Latino-Hispanic_6",
        "9000007_male_Latino-Hispanic_14",
        "9000020_male_Latino-Hispanic_75",
    }
    folder = people["9000020_male_Latino-Hispanic_75"]
    assert {path.stem for path in folder.iterdir()} == {"mask1", "incorrect_mask", "normal"}
    plain, masked = (np.asarray(Image.open(folder / f"{n}.jpg"), int) for n in ("normal", "mask1"))
    assert np.abs(plain - plain_face()).mean() < 4
    assert np.abs(masked - plain)[60:85, 45:65].mean() > 20


def test_too_few_photographs_are_told(photographs: Path) -> None:
    """Rows whose picture is absent do not count."""
    with pytest.raises(PhotoTableError, match="found 3 photographs that are there, expected 4"):
        photos_of(photographs, 4, seed=0)
    (photographs / "labels.csv").unlink()
    with pytest.raises(PhotoTableError, match="found no table of photographs"):
        photos_of(photographs, 1, seed=0)


@pytest.mark.parametrize("band", ["old", "9-3", "Foo-19", ""])
def test_what_is_no_age_band_is_refused(band: str) -> None:
    """Words and bands that fall are no ages."""
    with pytest.raises(PhotoTableError, match="expected a band such as 20-29"):
        age_of_band(band)


def test_real_photographs_can_be_dressed(real_data: Path, tmp_path: Path) -> None:
    """Six photographs of the real collection, dates among the age bands and all."""
    forge_faces(tmp_path, num_people=6, seed=1, photos=real_data / "faces" / "fairface")
    photos = list((tmp_path / "train" / "images").glob("*/*.jpg"))

    assert len(photos) == 18
    assert {image_size(path) for path in photos} == {(224, 224)}
