"""A drawn study: what is on its slices, and where its points are."""

from dataclasses import replace

import numpy as np

from overread.phantoms.anatomy import build_spine
from overread.phantoms.canal import draw_roots
from overread.phantoms.drawing import Person, paint_person
from overread.phantoms.sampling import Frame, SlicePlane
from overread.phantoms.severity import draw_severity
from overread.phantoms.streams import number_of
from overread.phantoms.tissue import BRIGHTNESS, TISSUES
from overread.phantoms.torso import draw_torso
from overread.phantoms.vertebral_column import draw_look


def _person(depth: np.ndarray) -> Person:
    severity = replace(draw_severity(np.random.default_rng(0)), depth=depth)
    rng = np.random.default_rng(2)
    spine = build_spine(rng, severity)
    return Person(severity, spine, draw_look(rng, spine), draw_roots(rng), draw_torso(rng, spine))


def _axial(frame: Frame, middle: np.ndarray) -> SlicePlane:
    corner = middle - 20 * frame.axes[0] - 20 * frame.axes[1]
    return SlicePlane(corner, frame.axes[0], frame.axes[1], (0.8, 0.8), (51, 51), 4.0)


def test_every_contrast_knows_every_tissue():
    """All contrasts list the same tissues."""
    assert all(set(TISSUES) == set(table) for table in BRIGHTNESS.values())


def test_a_severe_canal_shows_less_fluid():
    """On the axial slice through the disc, bright fluid falls with the canal's depth."""
    found = []
    for depth in (0.05, 0.5, 0.9):
        depths = np.full((5, 5), 0.05)
        depths[0, 3] = depth
        person = _person(depths)
        plane = _axial(person.spine.disc(3).frame, person.spine.canal_centre(3))
        image = paint_person(person, plane, ("t2",)).images[0]
        found.append(int((image > 0.85).sum()))

    assert found[1] < 0.75 * found[0]
    assert found[2] < 0.45 * found[0]


def test_a_severe_foramen_shows_no_fat():
    """On the sagittal T1 slice through the foramen, bright fat vanishes on that side only."""
    depths = np.full((5, 5), 0.05)
    depths[1, 3] = 0.95
    person = _person(depths)
    found = []
    for side in (1, -1):
        point = person.spine.foramen(3, side)
        plane = SlicePlane(
            point + np.array([0, -6.4, 9.6]),
            np.array([0.0, 1, 0]),
            np.array([0.0, 0, -1]),
            (0.8, 0.8),
            (25, 17),
            4.0,
        )
        image = paint_person(person, plane, ("t1",)).images[0]
        found.append(int((image > 0.8).sum()))

    assert found[0] < 0.3 * found[1]


def test_points_are_within_their_slices(drawn):
    """Each marked point is inside its image and within one thickness of its slice."""
    images = {(s.series_id, image.key): image for s in drawn.series for image in s.slices}
    for mark in drawn.points:
        plane = images[(mark.series_id, mark.slice_key)].plane
        column, row, distance = plane.pixel(mark.world)

        assert 0 <= column < plane.shape[1]
        assert 0 <= row < plane.shape[0]
        assert abs(distance) <= plane.thickness


def test_points_are_on_the_series_that_readers_used(drawn):
    """Canal on sagittal T2, foramina on sagittal T1, recesses on axial T2."""
    roles = {series.series_id: series.protocol.role for series in drawn.series}
    wanted = ["Sagittal T2/STIR", "Sagittal T1", "Sagittal T1", "Axial T2", "Axial T2"]

    assert all(wanted[mark.condition] == roles[mark.series_id] for mark in drawn.points)


def test_sagittal_slices_run_right_to_left_and_cover_both_foramina(drawn):
    """Instance 1 is the patient's rightmost slice; the stack spans all foramina."""
    planes = [image.plane for image in drawn.series[0].slices]
    positions = [plane.origin[0] for plane in planes]
    foramina = np.array(drawn.truth["foramina"]["left"] + drawn.truth["foramina"]["right"])

    assert positions == sorted(positions)
    assert np.all(planes[0].pixel(foramina)[2] * planes[-1].pixel(foramina)[2] < 0)


def test_numbers_are_unique():
    """No two studies or series of one seed share a number."""
    numbers = [number_of(1, i) for i in range(500)]
    numbers += [number_of(1, i, n) for i in range(500) for n in range(8)]

    assert len(numbers) == len(set(numbers))
    assert min(numbers) >= 0
    assert max(numbers) < 2**32
