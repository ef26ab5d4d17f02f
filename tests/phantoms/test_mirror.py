"""The mirror image of a study is exact."""

import numpy as np
import pytest

from overread.phantoms.mirror import mirror_plane, mirror_study

_FLIP = np.array([-1.0, 1, 1])


def _by_key(study):
    return {(s.series_id, image.key): (s, image) for s in study.series for image in s.slices}


def test_every_pixel_moves_to_minus_x(drawn):
    """The value at a world point is the value at the reflected point of the mirrored study."""
    before, after = _by_key(drawn), _by_key(mirror_study(drawn))
    rng = np.random.default_rng(0)
    for key in list(before)[::5]:
        image, mirrored = before[key][1], after[key][1]
        for _ in range(4):
            row, column = (int(rng.integers(size)) for size in image.pixels.shape)
            there = mirrored.plane.pixel(image.plane.world(column, row) * _FLIP)

            assert np.allclose(there[2], 0, atol=1e-9)
            value = mirrored.pixels[round(float(there[1])), round(float(there[0]))]
            assert image.pixels[row, column] == value


def test_sagittal_pixels_stay_and_axial_columns_flip(drawn):
    """Sagittal images are untouched; axial images are flipped in columns, direction kept."""
    before, after = _by_key(drawn), _by_key(mirror_study(drawn))
    for key, (series, image) in before.items():
        flip = series.protocol.role == "Axial T2"
        wanted = image.pixels[:, ::-1] if flip else image.pixels

        assert np.array_equal(wanted, after[key][1].pixels)
        assert np.sign(image.plane.along_row[0]) == np.sign(after[key][1].plane.along_row[0]) or (
            not flip
        )


def test_labels_and_points_change_sides(drawn):
    """Left grades become right grades, and points go with them to -x."""
    mirrored = mirror_study(drawn)
    places = {(mark.condition, mark.level): mark.world for mark in drawn.points}

    assert np.array_equal(drawn.severity.grade[[0, 2, 1, 4, 3]], mirrored.severity.grade)
    assert len(drawn.points) == len(mirrored.points)
    for mark in mirrored.points:
        partner = (0, 2, 1, 4, 3)[mark.condition]
        assert np.array_equal(places[(partner, mark.level)] * _FLIP, mark.world)


def test_sagittal_numbers_still_run_right_to_left(drawn):
    """Instance 1 is the rightmost sagittal slice before and after."""
    for series in mirror_study(drawn).series[:2]:
        images = sorted(series.slices, key=lambda image: image.instance)
        positions = [image.plane.origin[0] for image in images]

        assert positions == sorted(positions)


def test_mirroring_twice_is_nothing(drawn):
    """The mirror image of the mirror image is the study."""
    twice = mirror_study(mirror_study(drawn))

    assert drawn.truth == twice.truth
    for before, after in zip(drawn.series, twice.series, strict=True):
        for one, other in zip(before.slices, after.slices, strict=True):
            assert one.instance == other.instance
            assert np.array_equal(one.pixels, other.pixels)
            assert np.allclose(one.plane.origin, other.plane.origin, atol=1e-9)


@pytest.mark.parametrize("place", [0, 2])
def test_a_mirrored_plane_is_still_a_plane(drawn, place):
    """Directions stay orthonormal after reflection."""
    plane, _ = mirror_plane(drawn.series[place].slices[0].plane)

    assert np.allclose(plane.along_row @ plane.along_column, 0)
    assert np.allclose(np.linalg.norm(plane.along_row), 1)
