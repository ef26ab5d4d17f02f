"""Tables of slices become one row a level and target."""

import math

import polars as pl
import pytest

from overread.datasets.dataset import DatasetError
from overread.datasets.lumbar_levels import LevelTable, read_levels

NFN = "pred_neural_foraminal_narrowing"
SPINAL = "pred_spinal_canal_stenosis"


def table(folder, columns):
    path = folder / "member.csv"
    pl.DataFrame(columns).write_csv(path)
    return path


def spinal(folder, rows, levels=None):
    names = ("normal", "moderate", "severe")
    columns = {
        f"{SPINAL}_{name}": list(one)
        for name, one in zip(names, zip(*rows, strict=True), strict=True)
    }
    levels = levels or ["L4/L5"] * len(rows)
    return table(folder, {"study_id": [7] * len(rows), "level": levels, **columns})


def chances(predictions):
    return predictions.frame["probabilities"].to_list()


def test_several_rows_are_the_softmax_of_their_mean_logits(tmp_path):
    """Logits 2 and 0 of a level make a logit of 1."""
    found = read_levels(LevelTable(), spinal(tmp_path, [(2, 0, 0), (0, 0, 0)]), "net")
    total = math.e + 2
    rows = found.frame.select("unit", "target", "predictor").rows()

    assert rows == [("7@L4/L5", "spinal_canal_stenosis", "net")]
    assert chances(found) == [pytest.approx([math.e / total, 1 / total, 1 / total])]


def test_the_worst_row_can_stand_for_the_level(tmp_path):
    """With "worst" the row with the highest expected grade is taken as it is."""
    path = spinal(tmp_path, [(5, 0, 0), (0, 0, 1), (0, 1, 0)])
    total = math.e + 2

    assert chances(read_levels(LevelTable(several="worst"), path, "net")) == [
        pytest.approx([1 / total, 1 / total, math.e / total])
    ]


def test_sigmoids_are_divided_by_their_sum(tmp_path):
    """Three yes/no logits of 0, 0 and minus infinity-like give a half, a half and nothing."""
    found = read_levels(LevelTable(numbers="sigmoids"), spinal(tmp_path, [(0, 0, -40)]), "net")

    assert chances(found) == [pytest.approx([0.5, 0.5, 0.0])]


def test_probabilities_are_read_as_they_are(tmp_path):
    """One row of probabilities stays what it is, but for its sum."""
    path = spinal(tmp_path, [(0.6, 0.2, 0.4)])

    assert chances(read_levels(LevelTable(numbers="probabilities"), path, "net")) == [
        pytest.approx([0.5, 1 / 6, 1 / 3])
    ]


def test_sides_and_numbered_levels(tmp_path):
    """pred_level 5 is L5/S1, and the side makes the target."""
    numbers = {f"{NFN}_{word}": [1, 2] for word in ("normal", "moderate", "severe")}
    columns = {"study_id": [7, 7], "pred_level": [5, 1], "left_right": ["right", "left"], **numbers}
    found = read_levels(LevelTable(), table(tmp_path, columns), "net").frame

    assert {
        ("7@L5/S1", "right_neural_foraminal_narrowing"),
        ("7@L1/L2", "left_neural_foraminal_narrowing"),
    } == set(found.select("unit", "target").rows())


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"study_id": [1], "level": ["L1/L2"]}, "expected rows, and pred_<condition>_normal"),
        ({"study_id": [1], f"{SPINAL}_normal": [1]}, "no column level or pred_level"),
        (
            {"study_id": [1], "level": ["T1"], f"{SPINAL}_normal": [1]},
            "found 1 other rows, the first is row 0, counted from 0, of study 1",
        ),
        ({"study_id": [1], "level": ["L1/L2"], f"{SPINAL}_normal": [1]}, "moderate"),
        ({"study_id": [1], "level": ["L1/L2"], f"{NFN}_normal": [1]}, "left_right"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, columns, words):
    """Each mistake has its own words."""
    with pytest.raises(DatasetError, match=words):
        read_levels(LevelTable(), table(tmp_path, columns), "net")


def test_a_row_without_number_is_told(tmp_path):
    """An empty cell names the row and its study."""
    with pytest.raises(DatasetError, match=r"expected three logits; found 1 other rows.*row 1"):
        read_levels(LevelTable(), spinal(tmp_path, [(1, 0, 0), (1, None, 0)]), "net")


def test_real_tables(real_data):
    """A real table with up to three slices a level has each level of a study once."""
    folder = real_data / "lumbar_rsna2024" / "oof_tsai_raw_logits"
    name = "rsna_axial_ss_nfn_x2_y2_center_pad0.csv.gz"
    found = read_levels(LevelTable(), folder / name, "tsai").frame

    assert len(found) == 2 * 3102
    assert found["study"].n_unique() == 317
