"""What the painted tissues look like at places whose tissue is known."""

from dataclasses import replace

import numpy as np
import pytest

from overread.phantoms.anatomy import build_spine
from overread.phantoms.canal import draw_roots
from overread.phantoms.canvas import Canvas
from overread.phantoms.drawing import Person, paint_person
from overread.phantoms.sampling import SlicePlane
from overread.phantoms.severity import draw_severity
from overread.phantoms.torso import draw_torso
from overread.phantoms.vertebral_column import draw_look


@pytest.fixture(scope="module")
def healthy() -> Person:
    """Return a person with wide canals."""
    severity = replace(draw_severity(np.random.default_rng(0)), depth=np.full((5, 5), 0.05))
    rng = np.random.default_rng(6)
    spine = build_spine(rng, severity)
    return Person(severity, spine, draw_look(rng, spine), draw_roots(rng), draw_torso(rng, spine))


def _sagittal(x: float) -> SlicePlane:
    return SlicePlane(
        np.array([x, -130.0, 120.0]),
        np.array([0.0, 1, 0]),
        np.array([0.0, 0, -1]),
        (1.0, 1.0),
        (240, 260),
        4.0,
    )


def _value(canvas: Canvas, image: int, point: np.ndarray, reach: int = 2) -> float:
    """Return the mean over the pixels round a point."""
    column, row, _ = (round(float(v)) for v in canvas.plane.pixel(point))
    part = canvas.images[image][row - reach : row + reach + 1, column - reach : column + reach + 1]
    return float(part.mean())


def test_fluid_is_dark_on_t1_and_bright_on_t2(healthy):
    """The canal's centre holds fluid with roots: dark on T1, bright on T2."""
    for level in range(5):
        point = healthy.spine.canal_centre(level)
        canvas = paint_person(healthy, _sagittal(point[0]), ("t1", "t2"))

        assert _value(canvas, 0, point) < 0.35
        assert _value(canvas, 1, point) > 0.6


def test_marrow_is_brighter_than_disc_on_t1(healthy):
    """Vertebral bodies are brighter than the discs between them on T1."""
    for disc, vertebra in zip(healthy.spine.discs[4:9], healthy.spine.vertebrae[4:9], strict=True):
        centre = vertebra.frame.world(0, -4, 5)
        canvas = paint_person(healthy, _sagittal(centre[0]), ("t1",))

        assert _value(canvas, 0, centre) > _value(canvas, 0, disc.frame.centre, 1) + 0.1


def test_the_air_behind_the_back_is_empty(healthy):
    """Outside the skin nothing is painted; inside it, the subcutaneous fat is bright."""
    canvas = paint_person(healthy, _sagittal(0.0), ("t1",))
    middle = canvas.images[0][120]

    assert middle[-5:].max() == 0.0
    assert middle.max() > 0.8


def test_fat_suppression_darkens_fat_and_keeps_fluid(healthy):
    """On STIR fat is dark and fluid stays bright."""
    point = healthy.spine.canal_centre(2)
    canvas = paint_person(healthy, _sagittal(point[0]), ("t2", "stir"))
    row = round(float(canvas.plane.pixel(point)[1]))
    skin_side = canvas.images[0][row] > 0.65
    fat = np.flatnonzero(skin_side)[-4]

    assert _value(canvas, 1, point) > 0.6
    assert canvas.images[1][row, fat] < 0.4 * canvas.images[0][row, fat]


def test_one_place_looks_the_same_on_crossing_planes(healthy):
    """A sagittal and an axial plane agree where they cross, but for soft edges."""
    point = healthy.spine.disc_centre(1)
    sagittal = _sagittal(point[0])
    across = SlicePlane(
        np.array([point[0] - 20, -130.0, point[2]]),
        np.array([1.0, 0, 0]),
        np.array([0.0, 1, 0]),
        (1.0, 1.0),
        (260, 41),
        4.0,
    )
    first = paint_person(healthy, sagittal, ("t2",)).images[0]
    second = paint_person(healthy, across, ("t2",)).images[0]
    row = float(sagittal.pixel(point)[1])
    low = int(row)
    along = first[low] + (row - low) * (first[low + 1] - first[low])

    assert np.median(np.abs(along - second[:, 20])) < 0.03
    assert np.corrcoef(along, second[:, 20])[0, 1] > 0.9
