"""Orientation: roles, order of slices, and directions in the image."""

import numpy as np
import pytest
from field_study import AXIAL, SAGITTAL, field_stack, turned

from overread.imaging import ROLE_PLANE, in_plane_axes, plane_of, slice_offsets, slice_order
from overread.records import Planes


def test_roles_and_planes() -> None:
    """Every role of the reader has its plane; an unknown one is answered with the nearest."""
    assert {role: plane_of(role) for role in ROLE_PLANE} == dict(ROLE_PLANE)
    with pytest.raises(ValueError, match='did you mean "sagittal"'):
        plane_of("sagital_t1")


@pytest.mark.parametrize(
    ("axes", "plane", "along", "sign"),
    [
        (SAGITTAL, "sagittal", 0, 1),
        (AXIAL, "axial", 2, -1),
        (((1, 0, 0), (0, 0, -1)), "coronal", 1, 1),
    ],
)
def test_order_of_slices(axes, plane, along, sign) -> None:
    """Right to left, head to feet, front to back, whatever the order in the file."""
    planes = field_stack("x", axes, count=7, size=(4, 4))[0].planes
    shuffled = planes.take(np.random.default_rng(1).permutation(7))
    for point in (None, np.zeros(3)):
        order = slice_order(shuffled, plane, point)
        positions = shuffled.take(order).origin[:, along]
        assert (np.diff(positions) * sign > 0).all()


def test_tilted_blocks_are_ordered_at_the_point() -> None:
    """Slices of blocks that cross elsewhere are ordered where the point is."""
    flat = field_stack("x", AXIAL, count=1, size=(4, 4), middle=(0, 0, 0))[0].planes
    steep = field_stack("x", turned(AXIAL, 30, 0), count=1, size=(4, 4), middle=(0, 0, 4))[0].planes
    both = Planes.join([flat, steep])

    assert slice_order(both, "axial", np.array([0.0, 0, 0])).tolist() == [1, 0]
    assert slice_order(both, "axial", np.array([0.0, -30, 0])).tolist() == [0, 1]


def test_offsets_are_distances() -> None:
    """Offsets are distances along the slice's normal, signed by the patient's side."""
    planes = field_stack("x", turned(SAGITTAL, 20, 2), count=3, gap=5, size=(4, 4))[0].planes
    offsets = slice_offsets(planes, "sagittal", (0, 0, 0))

    assert sorted(offsets.tolist()) == pytest.approx([-5, 0, 5])
    assert offsets[planes.origin[:, 0].argmax()] == pytest.approx(5)
    assert slice_offsets(planes.mirrored(), "sagittal", (0, 0, 0)).tolist() == (-offsets).tolist()


@pytest.mark.parametrize("plane", ["sagittal", "axial", "coronal"])
def test_axes_are_those_of_the_file(plane) -> None:
    """Down and right are directions of the file, the nearest to the canonical ones."""
    axes = {"sagittal": SAGITTAL, "axial": AXIAL, "coronal": ((1, 0, 0), (0, 0, -1))}[plane]
    for degrees in (0, 30, 90, 120, 180, 270):
        about = {"sagittal": 0, "axial": 2, "coronal": 1}[plane]
        planes = field_stack("x", turned(axes, degrees, about), count=1, size=(4, 4))[0].planes
        down, right = in_plane_axes(planes, plane)

        assert down[0] @ np.array(axes[1]) > 0.8
        assert right[0] @ np.array(axes[0]) > 0.8
        assert abs(down[0] @ right[0]) < 1e-9


def test_photographs_stay_as_they_are() -> None:
    """A photograph's rows run down and its columns right."""
    down, right = in_plane_axes(Planes.of_images([[5, 6]]), "photo")

    assert down.tolist() == [[0, 1, 0]]
    assert right.tolist() == [[1, 0, 0]]
