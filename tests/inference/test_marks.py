"""Which slots hold a marked slice."""

import numpy as np
import pytest
from tiny_recipe import RUBRIC, VIEWS, member
from tiny_studies import discs, study_pixels

from overread.inference import cut_study, load_cuts, member_examples, save_cuts, study_units
from overread.inference.marks import MarkSpec, marked_slots
from overread.records import Keypoints, Labels, RecordError

TARGET = RUBRIC.names[0]


def cuts(view="side"):
    """Crops of the made-up study."""
    pixels = study_pixels()
    return cut_study(VIEWS[view], pixels, {"discs": discs()}, study_units(RUBRIC, "7"))[0]


def marked(place, *, series=("sagittal_t2",), within_mm=1.0):
    """Marks of one point at the third level."""
    mark = MarkSpec(points="discs", series=series, within_mm=within_mm)
    points = {"discs": {"7": Keypoints.of({RUBRIC.sites[2]: place})}}
    return marked_slots({TARGET: mark}, VIEWS["side"], RUBRIC, [cuts()], points)[0]


def test_the_marked_slice_alone():
    """The slots of the slice that the point lies on are marked, of its unit and target only."""
    one = cuts()
    shown = one.mask[2]
    away = one.planes[2, :, 3] * np.sign(one.planes[2, :, 0])
    place = (float(away[shown][0]), 10.0, 0.0)
    found = marked(place, series=VIEWS["side"].series)

    assert found.shape == (*one.mask.shape, len(RUBRIC.names))
    assert np.array_equal(found[2, :, 0] > 0, shown & (np.abs(away - place[0]) < 1e-3))
    assert found.sum() == found[2, :, 0].sum() >= 1


def test_points_off_all_slices_and_other_series():
    """A point farther from every slice than asked marks none; nor does one of another series."""
    near = cuts().planes[2, 0, 3] + 1.5
    series = VIEWS["side"].series

    assert marked((500.0, 0, 0), series=series).sum() == 0
    assert marked((near, 0, 0), series=series, within_mm=0.5).sum() == 0
    assert marked((near, 0, 0), series=("coronal_t1",), within_mm=5).sum() == 0


def test_crops_keep_where_their_slices_lie(tmp_path):
    """Saved crops know the planes of their slices; crops without them are refused in words."""
    one = cuts()
    save_cuts(tmp_path, one)

    np.testing.assert_array_equal(load_cuts(tmp_path).planes, one.planes)
    (tmp_path / "planes.npy").unlink()
    old = load_cuts(tmp_path)
    mark = {TARGET: MarkSpec(points="discs", series=VIEWS["side"].series)}
    points = {"discs": {"7": discs()}}
    with pytest.raises(RecordError, match="delete these crops and cut them again"):
        marked_slots(mark, VIEWS["side"], RUBRIC, [old], points)


def test_labels_of_slices_need_marks():
    """A member with a slice loss must say where slices were marked."""
    with pytest.raises(ValueError, match=r"loss\.slices needs `marks`"):
        member("none", loss={"slices": 0.5})


def test_labels_of_slices_need_points():
    """Without the dataset's points a slice loss is refused, not silently nothing."""
    mark = {"points": "discs", "series": ("sagittal_t2",)}
    wanted = member("none", loss={"slices": 0.5}, marks={TARGET: mark})
    views = {name: [cuts(name)] for name in VIEWS}

    with pytest.raises(RecordError, match="needs the dataset's true points"):
        member_examples(wanted, VIEWS, RUBRIC, views, Labels.empty())


def test_without_a_slice_loss_nothing_is_marked():
    """Members that do not learn from slices get no labels of them."""
    views = {name: [cuts(name)] for name in VIEWS}
    examples = member_examples(member("average"), VIEWS, RUBRIC, views)

    assert examples.marks == {}
