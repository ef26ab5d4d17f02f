"""Slices and their neighbours as channels: order, windows, means, ends, and what is refused."""

import numpy as np
import pytest

from overread.imaging import StudyPixels, ViewSpec, WindowSpec, cut, stretch
from overread.records import Frame, Planes, Series, Stack, Study, Volume

SIZE = 16


def study(levels, *, series=1):
    """Scans of flat slices; the values of each, from the feet, are 0, 10, 20 ... HU."""
    parts, volumes = [], []
    for number in range(series):
        n = levels
        origin = np.zeros((n, 3))
        origin[:, 2] = np.arange(n)[::-1] * 5.0  # stored from head to feet
        planes = Planes(
            origin,
            np.tile([1.0, 0, 0], (n, 1)),
            np.tile([0.0, 1, 0], (n, 1)),
            np.full((n, 2), 0.5),
            np.full((n, 2), SIZE),
        )
        values = (np.arange(n)[::-1] * 10 + 100 * number).astype(np.int16)
        array = np.broadcast_to(values[:, None, None], (n, SIZE, SIZE)).copy()
        frames = tuple(Frame("x", f"{number}-{i}") for i in range(n))  # type: ignore[arg-type]
        stack = Stack(frames, planes, "ct")
        parts.append(Series(f"s{number}", f"s{number}", (stack,), "ct"))
        volumes.append(Volume(array, planes, "hu"))
    return StudyPixels(Study("t", "t", "p", tuple(parts)), tuple(volumes))


def view(channels, *, windows=({"centre": 50, "width": 100},), **more):
    """A view of whole slices."""
    settings = {"series": "ct", "pixels": (SIZE, SIZE), "margin": 1, "windows": windows}
    return ViewSpec.model_validate(settings | {"channels": channels} | more)


def seen(view_, site, pixels=None):
    """HU of each channel."""
    found = cut(view_, pixels or study(8), {}, site)
    assert found.pixels.shape == (1, len(view_.channels), SIZE, SIZE)
    return (found.pixels[0, :, 5, 7].astype(float) * 100).round(1).tolist()


def test_channels_stand_in_the_order_of_the_view():
    """[0, -1, 1] is the slice, the one towards the feet, the one towards the head."""
    assert seen(view([[0], [-1], [1]]), "1/0004") == [30, 20, 40]
    assert seen(view([[-1], [0], [1]]), "1/0004") == [20, 30, 40]


def test_ends_of_the_scan():
    """Beyond the last slice stands what the boundary says."""
    channels = [[-2], [0], [2]]

    assert seen(view(channels), "1/0002") == [0, 10, 30]
    assert seen(view(channels, boundary="self"), "1/0002") == [10, 10, 30]
    assert seen(view(channels, boundary="blank"), "1/0002") == [0, 10, 30]
    assert seen(view(channels, boundary="blank"), "1/0008") == [50, 70, 0]


def test_means_over_ranges_and_the_scan():
    """Several offsets are averaged over the slices that there are; "all" is the whole scan."""
    channels = [[0], [-3, -2, -1], [1, 2, 3], "all"]

    assert seen(view(channels), "1/0004") == [30, 10, 50, 35]
    assert seen(view(channels), "1/0002") == [10, 0, 30, 35]


def test_each_channel_may_have_its_window():
    """Windows of one image are independent of each other."""
    windows = ["brain", {"centre": 50, "width": 100}, "subdural"]
    found = cut(view([[0], [0], [0]], windows=windows), study(8), {}, "1/0005").pixels[0, :, 3, 3]

    assert found.tolist() == pytest.approx([40 / 80, 40 / 100, 60 / 200], abs=1e-3)


def test_neighbours_stay_within_their_series():
    """The last slice of one series is no neighbour of the first of the next."""
    pixels = study(3, series=2)

    assert seen(view([[0], [1]]), "1/0003", pixels) == [20, 20]
    assert seen(view([[0], [-1]]), "2/0001", pixels) == [100, 100]


def test_a_place_that_is_not_there_is_masked():
    """An unknown site, or no site in a study of many slices, gives an empty crop."""
    shown = view([[0]])

    assert not cut(shown, study(8), {}, "1/0009").mask.any()
    assert not cut(shown, study(8), {}, None).mask.any()
    assert cut(shown, study(1), {}, None).mask.all()


def test_a_crop_can_be_traced():
    """The crop has the plane and the frame of its slice, and its height in the scan."""
    found = cut(view([[-1], [0]]), study(8), {}, "1/0006")

    assert found.frames[0].sop_instance_uid == "0-2"
    assert found.planes.origin[0, 2] == 25.0
    assert found.offsets_mm.tolist() == [5.0]


def test_the_middle_of_a_slice_can_be_enlarged():
    """A size in mm cuts the middle of each slice, as a centre crop does."""
    pixels = study(3)
    pixels.volumes[0].array[:, :4] = 1000
    whole = cut(view([[0]]), pixels, {}, "1/0002").pixels[0, 0]
    middle = cut(view([[0]], size_mm=(4, 4)), pixels, {}, "1/0002").pixels[0, 0]

    assert whole[2, 8] == 1
    assert pytest.approx(float(middle[1:].max()), abs=1e-3) == 0.1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"channels": [[]]}, "at least"),
        ({"channels": [[0], [1]], "windows": ["brain"] * 3}, "one window or one each"),
        ({"channels": [[0]], "slices": {"count": 3}}, "whole slices"),
        ({"channels": [[0]], "windows": ["brian"]}, 'did you mean "brain"'),
        ({"channels": ["some"]}, "all"),
    ],
)
def test_impossible_views_are_refused(settings, words):
    """The words say what is wrong with a view of channels."""
    base = {"series": "ct", "pixels": (8, 8), "windows": ["brain"]}
    with pytest.raises(ValueError, match=words):
        ViewSpec.model_validate(base | settings)


def test_older_views_keep_their_keys():
    """The new settings do not show in views that do not use them."""
    old = ViewSpec(series=("ct",), slices={"count": 1}, pixels=(8, 8))

    assert {"channels", "boundary"} & set(old.identity()) == set()


def test_windows_leave_pixels_alone():
    """Stretching gives new arrays; the pixels keep their values."""
    pixels = np.arange(-100, 300, dtype=np.float32)
    before = pixels.copy()
    shown = stretch(pixels, *WindowSpec.model_validate("brain").fixed)

    assert (before == pixels).all()
    assert not np.shares_memory(shown, pixels)


def test_a_share_of_whole_images() -> None:
    """Half of each side, from the middle, fills the pixels; with a size in mm it is refused."""
    pixels = study(1)
    ramp = np.arange(SIZE, dtype=np.int16) * 6
    pixels.volumes[0].array[:] = ramp[None, None, :]
    half = cut(view([[0]], share=0.5, pixels=(8, 8)), pixels, {}, "1/0001").pixels[0, 0]

    assert (half[3].astype(float) * 100).round().tolist() == ramp[4:12].tolist()
    with pytest.raises(ValueError, match="set either share or size_mm"):
        view([[0]], share=0.5, size_mm=(4, 4))
