"""Planes: DICOM's formula, there and back, for any direction and spacing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.records import GeometryError, Planes

ANGLES = st.tuples(*[st.floats(-3.2, 3.2)] * 3)
MM = st.floats(-400, 400)
SPACING = st.floats(0.2, 6)


def rotation(angles: tuple[float, float, float]) -> np.ndarray:
    """A rotation about the three body axes in turn."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.eye(3)
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
        matrix = turn @ matrix
    return matrix


def one_plane(matrix: np.ndarray, origin=(0, 0, 0), spacing=(1, 1), size=(10, 12)) -> Planes:
    """One slice whose rows and columns run along the first two columns of a rotation."""
    return Planes(
        np.array([origin], float), matrix[None, :, 0], matrix[None, :, 1],
        np.array([spacing], float), np.array([size]),
    )  # fmt: skip


@given(ANGLES, st.tuples(MM, MM, MM), st.tuples(SPACING, SPACING), st.tuples(MM, MM), MM)
def test_pixel_world_pixel(angles, origin, spacing, point, above) -> None:
    """Oblique planes with oblong pixels map there and back, and equal DICOM's formula."""
    matrix = rotation(angles)
    planes = one_plane(matrix, origin, spacing)
    world = planes.to_world([0], [point])
    formula = (
        np.array(origin)
        + matrix[:, 0] * spacing[1] * point[0]
        + matrix[:, 1] * spacing[0] * point[1]
    )
    back, distance = planes.to_pixels([0], world + planes.normal * above)

    np.testing.assert_allclose(world[0], formula, atol=1e-8)
    np.testing.assert_allclose(back[0], point, atol=1e-6)
    assert distance[0] == pytest.approx(above, abs=1e-6)


def test_spacing_is_rows_then_columns() -> None:
    """The first spacing lies between rows: a step down moves by it, a step right by the second."""
    planes = one_plane(np.eye(3), spacing=(2, 5))

    assert planes.to_world([0], [[1, 0]])[0].tolist() == [5, 0, 0]
    assert planes.to_world([0], [[0, 1]])[0].tolist() == [0, 2, 0]


def test_centre_and_normal() -> None:
    """The centre lies half way between the first and the last pixel; the normal is row x column."""
    planes = one_plane(np.eye(3), spacing=(2, 5), size=(3, 5))

    assert planes.centre[0].tolist() == [10, 2, 0]
    assert planes.normal[0].tolist() == [0, 0, 1]
    assert planes.along((0, 4, 0)).tolist() == [2]


@given(ANGLES, st.tuples(MM, MM, MM))
def test_mirror(angles, point) -> None:
    """In mirrored planes a mirrored point has the same pixel; mirroring twice is nothing."""
    planes = one_plane(rotation(angles), (3, 4, 5), (0.7, 1.3))
    mirrored = planes.mirrored()
    flipped = np.array(point) * [-1, 1, 1]

    np.testing.assert_allclose(
        mirrored.to_pixels([0], [flipped])[0], planes.to_pixels([0], [point])[0], atol=1e-9
    )
    np.testing.assert_array_equal(mirrored.mirrored().origin, planes.origin)


def test_join_and_take() -> None:
    """Joined planes stand behind one another; taken ones stand in the order asked for."""
    one, two = one_plane(np.eye(3)), one_plane(np.eye(3), origin=(0, 0, 9), size=(4, 4))
    joined = Planes.join([one, two])

    assert len(joined) == 2
    assert joined.take([1, 0]).origin[:, 2].tolist() == [9, 0]
    assert joined.take(slice(1, None)).size.tolist() == [[4, 4]]
    with pytest.raises(GeometryError, match="at least one part"):
        Planes.join([])
    with pytest.raises(GeometryError, match="one space"):
        Planes.join([one, Planes.of_images([[4, 4]])])


def test_images() -> None:
    """A photograph is its own space, in px; with a spacing it is a sagittal image."""
    photo = Planes.of_images([[4, 6], [5, 5]])
    xray = Planes.of_images([[4, 6]], (0.5, 0.5))

    assert photo.space == "image"
    assert photo.to_world([1], [[2, 3]])[0].tolist() == [2, 3, 0]
    assert xray.space == "patient"
    assert xray.to_world([0], [[2, 4]])[0].tolist() == [0, 1, -2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"row": [[1.01, 0, 0]]}, "length 1.0100, expected 1"),
        ({"column": [[0.1, np.sqrt(0.99), 0]]}, "not perpendicular"),
        ({"spacing": [[0, 1]]}, "spacing must be positive"),
        ({"origin": [[np.nan, 0, 0]]}, "origin is not finite at slice 0"),
        ({"size": [[0, 4]]}, "size must be positive"),
        ({"spacing": [[1, 1, 1]]}, r"shape \(1, 3\), expected \(1, 2\)"),
    ],
)
def test_impossible_planes(changes, words) -> None:
    """Directions, spacings and sizes that describe no plane are refused in words."""
    plain = {
        "origin": [[0, 0, 0]], "row": [[1, 0, 0]], "column": [[0, 1, 0]],
        "spacing": [[1, 1]], "size": [[4, 4]],
    }  # fmt: skip
    with pytest.raises(GeometryError, match=words):
        Planes(**{key: np.array(value) for key, value in {**plain, **changes}.items()})


def test_rounded_cosines_are_made_orthonormal() -> None:
    """Directions as DICOM rounds them become exact, and nothing can be written to later."""
    matrix = np.round(rotation((0.1, 0.2, 0.3)), 4)
    planes = one_plane(matrix)

    assert planes.row[0] @ planes.column[0] == pytest.approx(0, abs=1e-15)
    assert np.linalg.norm(planes.row[0]) == pytest.approx(1, abs=1e-15)
    with pytest.raises(ValueError, match="read-only"):
        planes.origin[0, 0] = 1
