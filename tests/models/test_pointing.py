"""What graphs of slices are given: every image once."""

import numpy as np

from overread.models.pointing import point_at_images


def batch(units: int = 4) -> dict[str, np.ndarray]:
    """Return units of which some slices are missing and the first two are alike."""
    generator = np.random.default_rng(0)
    found = {
        "a": generator.normal(size=(units, 3, 1, 8, 10)).astype(np.float32),
        "a.mask": generator.random((units, 3)) > 0.3,
        "a.offsets": generator.normal(size=(units, 3)).astype(np.float32),
    }
    found["a"][1] = found["a"][0]
    found["a.mask"][:2] = True
    return found


def test_each_image_is_given_once() -> None:
    """Slots that hold the same slice point at one image; missing slots are not encoded."""
    given = batch()
    found = point_at_images(given, [["a"]])
    present = int(given["a.mask"].sum())

    assert len(found["images.0"]) == present - 3
    np.testing.assert_array_equal(found["a.where"][0], found["a.where"][1])
    shown = found["images.0"][found["a.where"]][given["a.mask"]]
    np.testing.assert_array_equal(shown, given["a"][given["a.mask"]])


def test_units_without_any_slice_have_an_empty_image() -> None:
    """A graph takes one image at least, so a view that shows nothing gives zeros."""
    given = batch(2)
    given["a.mask"][:] = False
    found = point_at_images(given, [["a"]])

    assert found["images.0"].shape == (1, 1, 8, 10)
    assert not found["images.0"].any()


def test_views_that_are_encoded_together_share_their_images() -> None:
    """A slice that two views show is one image."""
    given = batch()
    given |= {name.replace("a", "b", 1): value for name, value in given.items()}
    found = point_at_images(given, [["a", "b"]])

    np.testing.assert_array_equal(found["a.where"], found["b.where"])
    assert "images.1" not in found
