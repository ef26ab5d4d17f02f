"""The same pixels under two names are found; like images of different people are not."""

import numpy as np
import pytest

from overread.auditing import AuditSpec, copied_pictures, find_copies, picture_of

SPEC = AuditSpec()


def _image(seed: int, side: int = 96) -> np.ndarray:
    """A smooth random image, as anatomy is."""
    rng = np.random.default_rng(seed)
    low = rng.normal(size=(9, 9))
    grid = np.linspace(0, 8, side)
    rows = np.stack([np.interp(grid, np.arange(9), column) for column in low.T], 1)
    whole = np.stack([np.interp(grid, np.arange(9), row) for row in rows])
    return (1000 + 300 * whole + rng.normal(0, 5, whole.shape)).astype(np.int16)


def _pictures(**images: np.ndarray):
    return [picture_of(image, name, name, name, spec=SPEC) for name, image in images.items()]


def test_different_images_are_no_copies() -> None:
    """Forty images, no pair."""
    images = {f"s{seed}": _image(seed) for seed in range(40)}

    assert find_copies(_pictures(**images), spec=SPEC) == []


@pytest.mark.parametrize(
    ("change", "way", "identical"),
    [
        (lambda image: image.copy(), "as it is", True),
        (lambda image: (image * 0.4 + 90).astype(np.int16), "as it is", False),
        (lambda image: np.repeat(np.repeat(image, 2, 0), 2, 1), "as it is", False),
        (lambda image: image[:, ::-1], "mirrored left to right", False),
        (lambda image: image[::-1], "mirrored top to bottom", False),
        (lambda image: image[::-1, ::-1], "turned by half", False),
    ],
)
def test_a_changed_copy_is_found(change, way, identical) -> None:
    """Contrast, size and mirrors do not hide it; the words say how it is shown."""
    others = {f"s{seed}": _image(seed) for seed in range(5)}
    [copy] = find_copies(_pictures(**others, copy=change(_image(3))), spec=SPEC)

    assert ("s3", "copy", way, identical) == (copy.first, copy.second, copy.way, copy.identical)


def test_noise_of_a_second_export_does_not_hide_a_copy() -> None:
    """Lossy compression adds noise; fingerprints bear it."""
    noisy = _image(1) + np.random.default_rng(0).integers(-20, 20, (96, 96))
    [copy] = find_copies(_pictures(a=_image(1), b=noisy), spec=SPEC)

    assert copy.correlation > 0.98


def test_slices_of_one_study_and_empty_images_are_not_compared() -> None:
    """Neighbours look alike, and black is black."""
    twins = [picture_of(_image(1), name, "study", "p", spec=SPEC) for name in ("1", "2")]
    black = _pictures(a=np.zeros((40, 40)), b=np.zeros((40, 40)), c=np.full((9, 9), 7))

    assert find_copies([*twins, *black], spec=SPEC) == []


def test_copies_in_two_folds_are_refused() -> None:
    """In one fold they are shown; of one person they are noted."""
    copies = find_copies(_pictures(a=_image(1), b=_image(1)), spec=SPEC)
    same = [picture_of(_image(1), name, name, "person", spec=SPEC) for name in ("a", "b")]
    verdicts = [
        copied_pictures(found, folds, spec=SPEC)[0].verdict
        for found, folds in (
            (copies, {"a": 0, "b": 1}),
            (copies, {"a": 0, "b": 0}),
            (copies, {}),
            (find_copies(same, spec=SPEC), {"person": 0}),
        )
    ]

    assert verdicts == ["refuse", "review", "review", "note"]
    assert "in folds 0 and 1" in copied_pictures(copies, {"a": 0, "b": 1}, spec=SPEC)[0].reason
