"""Sessions: where the slices lie, and what exposure does to tissue."""

import numpy as np
import pytest

from overread.phantoms.drawing import Person, draw_person
from overread.phantoms.scanner import Session, draw_session, expose, gain
from overread.phantoms.streams import stream

_NUM_VISITS = 40


@pytest.fixture(scope="module")
def visits() -> list[tuple[Person, Session]]:
    """Return forty people and their sessions, without images."""
    found = []
    for index in range(_NUM_VISITS):
        person = draw_person(5, index)
        first = person.severity.first_axial_level
        found.append((person, draw_session(stream(5, index, "session"), person.spine, first)))
    return found


def test_every_level_has_an_axial_slice_through_its_recesses(visits):
    """Within one thickness of each recess of a covered level lies an axial slice."""
    for person, session in visits:
        for level in range(person.severity.first_axial_level, 5):
            for side in (1, -1):
                point = person.spine.recess(level, side)
                distance = min(abs(plane.pixel(point)[2]) for plane in session.axial_planes)

                assert distance <= session.axial_t2.thickness


def test_points_stay_off_the_edge_of_the_field_of_view(visits):
    """A crop of 20 mm to each side of a canal or foramen is inside its sagittal image."""
    for person, session in visits:
        for level in range(5):
            points = [person.spine.canal_centre(level)]
            points += [person.spine.foramen(level, side) for side in (1, -1)]
            for point in points:
                planes = session.sagittal_planes
                plane = min(planes, key=lambda one: abs(one.pixel(point)[2]))
                column, row, distance = plane.pixel(point)
                room = [
                    column * plane.spacing[1],
                    row * plane.spacing[0],
                    (plane.shape[1] - 1 - column) * plane.spacing[1],
                    (plane.shape[0] - 1 - row) * plane.spacing[0],
                ]

                assert min(room) > 20
                assert abs(distance) <= plane.thickness


def test_blocks_are_tilted_to_their_discs_and_stacks_are_parallel(visits):
    """A block's normal is within 12 degrees of its disc's; a stack has one normal."""
    stacks = 0
    for person, session in visits:
        normals = np.array([plane.normal for plane in session.axial_planes])
        if np.allclose(normals, normals[0]):
            stacks += 1
            continue
        for level, normal in zip(session.axial_levels, normals, strict=True):
            up = person.spine.disc(level).frame.axes[2]
            assert normal @ up > np.cos(np.radians(12))

    assert 0 < stacks < _NUM_VISITS / 2


def test_axial_images_are_in_radiological_orientation(visits):
    """Columns run to the patient's left, rows to the back, slices from head to feet in blocks."""
    for _, session in visits:
        for plane in session.axial_planes:
            assert plane.along_row[0] > 0.9
            assert plane.along_column[1] > 0.5
        for level in set(session.axial_levels) - {-1}:
            block = [
                plane.origin @ plane.normal
                for plane, own in zip(session.axial_planes, session.axial_levels, strict=True)
                if own == level
            ]
            assert block == sorted(block, reverse=True)


def test_sessions_differ_in_vendor_matrix_and_spacing(visits):
    """Forty visits see several vendors, matrices and non-square pixels."""
    protocols = [session.sagittal_t2 for _, session in visits]

    assert len({session.vendor.manufacturer for _, session in visits}) >= 3
    assert len({protocol.shape for protocol in protocols}) >= 3
    assert any(protocol.spacing[0] != protocol.spacing[1] for protocol in protocols)
    assert any(protocol.contrast == "stir" for protocol in protocols)


def test_noise_in_air_is_rician(visits):
    """Without signal the stored values are Rayleigh: mean is noise times sqrt(pi / 2)."""
    _, session = visits[0]
    protocol, plane = session.axial_t2, session.axial_planes[0]
    air = np.zeros(plane.shape, np.float32)
    bright = gain(session, plane, banded=False)
    stored = expose(np.random.default_rng(0), session, protocol, bright, air)
    wanted = protocol.noise * protocol.scale * np.sqrt(np.pi / 2)

    assert stored.dtype == np.uint16
    assert abs(stored.mean() / wanted - 1) < 0.03


def test_shading_brightens_the_back(visits):
    """The same tissue is brighter near the coil under the back than at the front."""
    for _, session in visits[:5]:
        plane = session.axial_planes[0]
        tissue = np.full(plane.shape, 0.5, np.float32)
        bright = gain(session, plane, banded=False)
        stored = expose(np.random.default_rng(0), session, session.axial_t2, bright, tissue)

        assert stored[-20:].mean() > stored[:20].mean()


def test_the_band_darkens_what_lies_in_front_of_the_spine(visits):
    """Where a session has a saturation band, the front loses signal and the canal keeps it."""
    session = next(session for _, session in visits if session.band_mm is not None)
    plane = session.sagittal_planes[0]
    share = gain(session, plane, banded=True) / gain(session, plane, banded=False)

    assert share[:, 0].max() < 0.3
    assert share[:, -1].min() > 0.95
