"""Templates and images: everything escaped, everything inside."""

import base64
import io

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image

from overread.records import Target
from overread.reporting.colours import NOMINAL, grade_colours, ink_on
from overread.reporting.pages import image_uri, percent, render, short_uid, svg_uri


def picture_of(uri):
    """Return the image that a data URI holds."""
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_lossless_images_are_exact():
    """PNG keeps every pixel, grey or colour."""
    rng = np.random.default_rng(0)
    for shape in ((7, 9), (7, 9, 3)):
        image = rng.integers(0, 256, shape).astype(np.uint8)

        uri = image_uri(image, lossless=True)

        assert uri.startswith("data:image/png;base64,")
        np.testing.assert_array_equal(image, np.array(picture_of(uri)))


def test_jpeg_is_close_and_small():
    """JPEG is smaller than PNG for smooth pictures, and close to them."""
    y, x = np.mgrid[:96, :128]
    image = (120 + 60 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)

    uri = image_uri(image)

    assert len(uri) < len(image_uri(image, lossless=True))
    assert np.abs(np.array(picture_of(uri)).astype(int) - image).mean() < 2


def test_views_of_arrays_are_images_too():
    """A transposed or reversed array is written as it is seen."""
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)

    shown = np.array(picture_of(image_uri(image[::-1].T, lossless=True)))

    np.testing.assert_array_equal(image[::-1].T, shown)


def test_drawings_are_embedded():
    """An SVG comes back from its data URI."""
    assert base64.b64decode(svg_uri(b"<svg/>").partition(",")[2]) == b"<svg/>"


def test_pages_forbid_everything_from_outside():
    """The page's own policy allows images that are inside, and styles, and nothing else."""
    page = render("page.html", title="<script>alert(1)</script>")

    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_missing_content_is_an_error():
    """A template that is not given what it needs says so, instead of leaving a hole."""
    with pytest.raises(UndefinedError):
        render("study.html", title="x")


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0%"), (0.004, "<1%"), (0.5, "50%"), (0.994, ">99%"), (0.996, ">99%"), (1.0, "100%")],
)
def test_percentages_never_round_to_certainty(share, words):
    """Nearly certain is not certain, and nearly impossible not impossible."""
    assert percent(share) == words


def test_long_identifiers_show_their_end():
    """The end of a UID is what differs; short ones are whole."""
    assert short_uid("1.2.3") == "1.2.3"
    assert short_uid("1.2.840.113619.2.5.1762583153") == "….1762583153"
    assert len(short_uid("1." * 30)) == 12


def test_nominal_grades_have_their_own_hues():
    """Grades without order are not painted as if one were worse."""
    target = Target("kind", ("a", "b", "c"), (1.0, 1.0, 1.0), scale="nominal")

    assert grade_colours(target) == NOMINAL[:3]


def test_many_nominal_grades_repeat_colours():
    """More kinds than colours start again from the first."""
    names = tuple("abcdefghi")
    target = Target("kind", names, (1.0,) * 9, scale="nominal")

    assert grade_colours(target)[7] == NOMINAL[0]


@pytest.mark.parametrize("scale", ["ordered", "binary", "nominal"])
def test_text_on_colours_has_contrast(scale):
    """Text on each colour of a grade has a contrast of 4.5 at least (WCAG 2.1, AA)."""
    count = 2 if scale == "binary" else 5
    target = Target("t", tuple("abcde"[:count]), (1.0,) * count, scale=scale)

    for colour in grade_colours(target):
        light, dark = sorted((luminance(colour), luminance(ink_on(colour))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, colour


def luminance(colour):
    """Return the relative luminance of a colour (WCAG 2.1)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
