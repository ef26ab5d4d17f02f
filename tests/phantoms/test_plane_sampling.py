"""Planes, windows, coverage and textures."""

import numpy as np

from overread.phantoms.sampling import (
    Frame,
    SlicePlane,
    bounds,
    coarse_steps,
    cover,
    draw_texture,
    shifted,
)

_TILTED = SlicePlane(
    origin=np.array([10.0, -20, 30]),
    along_row=np.array([1.0, 0, 0]),
    along_column=np.array([0.0, 0.8, -0.6]),
    spacing=(0.5, 0.75),
    shape=(40, 60),
    thickness=4.0,
)


def test_world_and_pixel_are_inverse():
    """A pixel's world point comes back as that pixel, at distance zero."""
    column, row, distance = _TILTED.pixel(_TILTED.world(12.25, 7.5))

    assert np.allclose([12.25, 7.5, 0], [column, row, distance])


def test_local_coordinates_are_those_of_the_frame():
    """The pixel under a frame's point has that point's local coordinates."""
    frame = Frame(_TILTED.world(20, 10), np.eye(3)[[1, 2, 0]])
    left, back, up = _TILTED.local(frame, (slice(10, 11), slice(22, 23)))

    assert np.allclose(frame.world(left[0, 0], back[0, 0], up[0, 0]), _TILTED.world(22, 10))


def test_box_window_holds_every_pixel_of_the_box():
    """No pixel inside a box lies outside its window, and a far box has none."""
    frame = Frame(_TILTED.world(30, 20), np.eye(3))
    low, high = np.array([-3.0, -2, -2]), np.array([4.0, 2, 2])
    window = _TILTED.box(frame, low, high)
    fields = _TILTED.local(frame, _TILTED.whole())
    inside = np.all([(f >= a) & (f <= b) for f, a, b in zip(fields, low, high, strict=True)], 0)
    inside[window] = False

    assert not inside.any()
    assert _TILTED.box(Frame(_TILTED.normal * 500, np.eye(3)), low, high) is None


def test_cover_is_half_on_the_border():
    """Coverage is 1/2 on the border, 0 and 1 half an edge away."""
    assert cover(np.array([-1.0, 0, 1], np.float32), 2.0).tolist() == [0, 0.5, 1]


def test_coarse_steps_interpolate_straight_lines_exactly():
    """A straight line survives coarse sampling and interpolation."""
    at, weights = coarse_steps(37, 4)

    assert np.allclose(weights @ (2 * at + 1), 2 * np.arange(37) + 1, atol=1e-4)


def test_bounds_and_shifted_find_the_true_pixels():
    """The window of a mask holds it tightly, and moves with the outer window."""
    mask = np.zeros((8, 9), bool)
    mask[2:5, 3] = True

    assert (slice(2, 5), slice(3, 4)) == bounds(mask)
    assert bounds(mask & False) is None
    assert (slice(12, 15), slice(23, 24)) == shifted(bounds(mask), (slice(10, 18), slice(20, 29)))


def test_texture_is_one_field_in_space():
    """Two planes through one line see the same values on it, with about unit variance."""
    texture = draw_texture(np.random.default_rng(0), finest_mm=3, coarsest_mm=9)
    across = SlicePlane(
        _TILTED.origin, _TILTED.along_row, np.array([0.0, 0, 1]), (0.5, 0.75), (40, 60), 4.0
    )
    first, second = (texture.on(plane, plane.whole()) for plane in (_TILTED, across))

    assert np.allclose(first[0], second[0], atol=1e-4)
    assert 0.5 < first.std() < 1.5
