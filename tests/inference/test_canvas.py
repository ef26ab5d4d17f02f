"""Inputs of locators: every pixel has its place, and every slice is shown the right way up."""

import numpy as np
import pytest
from tiny_studies import study_pixels

from overread.imaging import StudyPixels
from overread.inference.canvas import Canvas, draw, facing
from overread.records import Planes, Series, Stack, Study, Volume

WHOLE = Canvas("sagittal", (64, 64), None, (0.0, 100.0))


def one_slice(array, *, row=(0, 1, 0), column=(0, 0, -1), spacing=(1.0, 1.0), role="sagittal_t2"):
    """Return a study of one slice, and its volume."""
    array = np.asarray(array, np.float32)
    planes = Planes(
        np.array([[3.0, -20.0, 40.0]]),
        np.array([row], float),
        np.array([column], float),
        np.array([spacing]),
        np.array([array.shape]),
    )
    frames = study_pixels().study.series[0].stacks[0].frames[:1]
    stack = Stack(frames, planes, role)
    study = Study("1", "1.2", "p", (Series("1", "1.2.1", (stack,), role),))
    pixels = StudyPixels(study, (Volume(array[None], planes),))
    return pixels, pixels.volumes[0]


def spot(shape, row, column, radius=3.0):
    """Return a dark image with a bright, round spot."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * radius**2))


def brightest(image):
    """Return the centre of mass (x, y) of what is bright."""
    mass = np.where(image > 0.5, image, 0).astype(float)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(mass * x).sum(), (mass * y).sum()]) / mass.sum()


DIRECTIONS = [
    ((0, 1, 0), (0, 0, -1)),
    ((0, -1, 0), (0, 0, -1)),
    ((0, 1, 0), (0, 0, 1)),
    ((0, 0, -1), (0, 1, 0)),
    ((0, 0, 1), (0, -1, 0)),
]


@pytest.mark.parametrize(("row", "column"), DIRECTIONS)
def test_a_spot_keeps_its_place_in_the_world(row, column):
    """However rows and columns run in the file, what is bright lies at the same world point."""
    pixels, volume = one_slice(spot((80, 60), 25, 41), row=row, column=column)
    expected = volume.planes.to_world([0], [[41.0, 25.0]])[0]

    image, plane = draw(pixels, volume, 0, WHOLE)

    np.testing.assert_allclose(expected, plane.to_world([0], [brightest(image)])[0], atol=0.3)


@pytest.mark.parametrize(("row", "column"), DIRECTIONS)
def test_slices_stand_upright(row, column):
    """Columns of a sagittal input run to the back, rows to the feet."""
    _, volume = one_slice(np.zeros((80, 60)), row=row, column=column)

    plane = facing(volume.planes, WHOLE)

    assert plane.row[0].tolist() == [0, 1, 0]
    assert plane.column[0].tolist() == [0, 0, -1]


def test_axial_slices_show_the_left_on_the_right():
    """Columns of an axial input run to the patient's left, rows to the back."""
    _, volume = one_slice(np.zeros((50, 60)), row=(-1, 0, 0), column=(0, 1, 0), role="axial_t2")

    plane = facing(volume.planes, Canvas("axial", (32, 32), None, (0.0, 100.0)))

    assert plane.row[0].tolist() == [1, 0, 0]
    assert plane.column[0].tolist() == [0, 1, 0]


def test_shape_is_kept_and_padded():
    """A tall slice fills the height; beside it lie zeros, as much on either side."""
    pixels, volume = one_slice(np.ones((100, 50)) + spot((100, 50), 49.5, 24.5))

    image, plane = draw(pixels, volume, 0, Canvas("sagittal", (64, 64), None, (0.0, 100.0)))

    assert plane.spacing[0, 0] == plane.spacing[0, 1] == pytest.approx(100 / 64)
    assert not image[:, :14].any()
    np.testing.assert_allclose(image, image[:, ::-1], atol=0.03)


def test_pixels_that_are_not_square_are_made_so():
    """A slice with rows 2 mm apart and columns 1 mm apart is shown in its true shape."""
    pixels, volume = one_slice(spot((40, 80), 20, 40, 6), spacing=(2.0, 1.0))
    image, plane = draw(pixels, volume, 0, Canvas("sagittal", (80, 80), None, (0.0, 100.0)))
    bright = image > 0.5

    assert plane.spacing[0].tolist() == [1.0, 1.0]
    assert bright.any(1).sum() == pytest.approx(2 * bright.any(0).sum(), abs=2)


def test_stretched_canvas_is_filled():
    """With `stretch` the whole slice fills the input, whatever its shape."""
    pixels, volume = one_slice(np.ones((100, 50)) + spot((100, 50), 50, 25))
    canvas = Canvas("sagittal", (64, 64), None, (0.0, 100.0), aspect="stretch")

    _, plane = draw(pixels, volume, 0, canvas)

    np.testing.assert_allclose(plane.spacing[0], [100 / 64, 50 / 64])


def test_size_in_millimetres_and_centre():
    """A window of so many mm around a world point has that point in its middle."""
    pixels, volume = one_slice(spot((80, 60), 25, 41))
    point = volume.planes.to_world([0], [[41.0, 25.0]])[0] + [9.0, 0, 0]
    canvas = Canvas("sagittal", (33, 33), (33.0, 33.0), (0.0, 100.0))

    image, plane = draw(pixels, volume, 0, canvas, point)

    np.testing.assert_allclose(brightest(image), 16, atol=0.1)
    assert plane.spacing[0].tolist() == [1.0, 1.0]


def test_grey_values_are_percentiles():
    """Values at and beyond the percentiles are black and white."""
    ramp = np.tile(np.linspace(0, 100, 101), (101, 1))
    pixels, volume = one_slice(ramp)

    image, _ = draw(pixels, volume, 0, Canvas("sagittal", (101, 101), None, (25.0, 75.0)))

    assert image[50, 20] == 0
    assert image[50, 80] == 1
    assert image[50, 50] == pytest.approx(0.5, abs=0.01)


def test_constant_slice_is_black():
    """A slice without contrast gives zeros, not NaN."""
    pixels, volume = one_slice(np.full((40, 40), 7.0))

    image, _ = draw(pixels, volume, 0, WHOLE)

    assert np.isfinite(image).all()
    assert not image.any()


def test_shading_takes_away_the_fall_off_of_a_coil():
    """Two equal spots, one in the dark, come out nearly equally bright."""
    spots = spot((120, 120), 30, 60) + spot((120, 120), 90, 60) + 0.2
    coil = np.linspace(1.0, 0.2, 120)[:, None]
    pixels, volume = one_slice(spots * coil)

    plain = Canvas("sagittal", (120, 120), None, (0.0, 100.0))
    evened = Canvas("sagittal", (120, 120), None, (0.0, 100.0), shading=True)

    def ratio(canvas):
        image, _ = draw(pixels, volume, 0, canvas)
        return image[85:95, 55:65].max() / image[25:35, 55:65].max()

    assert ratio(plain) < 0.6
    assert ratio(evened) > 0.75


def test_colours_are_averaged():
    """A colour image becomes a grey input."""
    grey = spot((40, 40), 20, 20)
    pixels, volume = one_slice(grey)
    coloured = Volume(np.repeat(volume.array[..., None], 3, -1), volume.planes)
    expected, _ = draw(pixels, volume, 0, WHOLE)

    image, _ = draw(StudyPixels(pixels.study, (coloured,)), coloured, 0, WHOLE)

    np.testing.assert_allclose(expected, image, atol=2e-3)
