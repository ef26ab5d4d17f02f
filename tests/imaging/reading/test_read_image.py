"""Photographs: the right way up, in grey or RGB, from any common format."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overread.imaging.reading import PhotoError, decode, image_size, read_image
from overread.records import Frame, Planes, Stack

COLOURS = np.zeros((4, 6, 3), np.uint8)
COLOURS[0, 0], COLOURS[0, 5], COLOURS[3, 0] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp", "tiff"])
def test_lossless_formats_keep_colours(tmp_path: Path, suffix: str) -> None:
    """What is written comes back."""
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(COLOURS).save(path, **({"lossless": True} if suffix == "webp" else {}))

    assert np.array_equal(COLOURS, read_image(path))


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, COLOURS),
        (2, COLOURS[:, ::-1]),
        (3, COLOURS[::-1, ::-1]),
        (4, COLOURS[::-1]),
        (5, COLOURS.transpose(1, 0, 2)),
        (6, np.rot90(COLOURS, -1)),
        (7, COLOURS[::-1, ::-1].transpose(1, 0, 2)),
        (8, np.rot90(COLOURS, 1)),
    ],
)
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int, turned: np.ndarray) -> None:
    """All eight orientations."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=exif)

    assert np.array_equal(turned, read_image(tmp_path / "a.png"))
    assert turned.shape[:2] == image_size(tmp_path / "a.png")


def test_grey_stays_grey(tmp_path: Path) -> None:
    """8-bit, 16-bit, with transparency and one bit: two dimensions."""
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6)
    deep = grey.astype(np.uint16) * 1000
    Image.fromarray(grey).save(tmp_path / "8.png")
    Image.fromarray(deep).save(tmp_path / "16.png")
    Image.merge("LA", [Image.fromarray(grey), Image.fromarray(255 - grey)]).save(
        tmp_path / "la.png"
    )
    Image.fromarray(grey > 10).save(tmp_path / "1.png")

    assert np.array_equal(grey, read_image(tmp_path / "8.png"))
    assert np.array_equal(deep, read_image(tmp_path / "16.png"))
    assert np.uint16 == read_image(tmp_path / "16.png").dtype
    assert np.array_equal(grey, read_image(tmp_path / "la.png"))
    assert np.array_equal(np.where(grey > 10, 255, 0), read_image(tmp_path / "1.png"))


def test_palettes_are_resolved(tmp_path: Path) -> None:
    """Palette images become RGB; a grey palette becomes grey."""
    indices = np.array([[0, 1], [2, 1]], np.uint8)
    coloured = Image.fromarray(indices, "L").convert("P")
    coloured.putpalette([0, 0, 0, 250, 10, 20, 1, 2, 3])
    coloured.save(tmp_path / "c.png")
    grey = coloured.copy()
    grey.putpalette([0, 0, 0, 90, 90, 90, 7, 7, 7])
    grey.save(tmp_path / "g.png")

    assert read_image(tmp_path / "c.png").tolist() == [
        [[0, 0, 0], [250, 10, 20]],
        [[1, 2, 3], [250, 10, 20]],
    ]
    assert read_image(tmp_path / "g.png").tolist() == [[0, 90], [7, 90]]


def test_transparency_is_dropped(tmp_path: Path) -> None:
    """RGBA keeps the colours that lie below."""
    alpha = np.concatenate([COLOURS, np.full((4, 6, 1), 3, np.uint8)], 2)
    Image.fromarray(alpha).save(tmp_path / "a.png")

    assert np.array_equal(COLOURS, read_image(tmp_path / "a.png"))


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    """Printers' JPEGs have three colours in the end."""
    Image.new("CMYK", (5, 4), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)

    red = read_image(tmp_path / "a.jpg")

    assert red.shape == (4, 5, 3)
    assert red[..., 0].min() > 240
    assert red[..., 1:].max() < 15


def test_animations_give_their_first_frame(tmp_path: Path) -> None:
    """Of a GIF or WEBP film the first frame is read."""
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)

    assert read_image(tmp_path / "a.webp")[0, 0].tolist() == [255, 0, 0]


def test_broken_pictures_name_file_and_reason(tmp_path: Path) -> None:
    """Texts, cut-off files and absurd sizes are PhotoErrors."""
    (tmp_path / "a.png").write_text("no picture", encoding="utf-8")
    Image.fromarray(np.tile(COLOURS, (40, 40, 1))).save(tmp_path / "b.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:90])

    with pytest.raises(PhotoError, match=r"a\.png: not a picture"):
        read_image(tmp_path / "a.png")
    with pytest.raises(PhotoError, match=r"b\.png: the picture cannot be decoded"):
        read_image(tmp_path / "b.png")
    with pytest.raises(PhotoError, match=r"none\.png"):
        read_image(tmp_path / "none.png")


def test_no_picture_has_no_size(tmp_path: Path) -> None:
    """A file that is no picture is told, by its name, when only its size is asked for."""
    (tmp_path / "a.jpg").write_bytes(b"no picture")

    with pytest.raises(PhotoError, match=r"a\.jpg: not a picture"):
        image_size(tmp_path / "a.jpg")


@pytest.mark.parametrize(("role", "expected"), [("photo", 200), ("photo_xray", 200 * 256)])
def test_deep_photographs_lose_what_eyes_do_not_see(
    tmp_path: Path, role: str, expected: int
) -> None:
    """A photograph of 16 bits is decoded to eight, so that one window fits all; others are not."""
    Image.fromarray(np.full((4, 6), 200 * 256, np.uint16)).save(tmp_path / "16.png")
    frame = Frame(tmp_path / "16.png", "16.png")
    volume = decode(Stack((frame,), Planes.of_images([[4, 6]]), role))

    assert {expected} == set(volume.array.ravel().tolist())
