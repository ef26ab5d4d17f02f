"""Submissions whose cells are no numbers are told as they were written."""

import pytest

from overread.datasets import DatasetError
from overread.datasets import rsna2024_lumbar as lumbar

HEADER = "row_id,normal_mild,moderate,severe\n"
ROW = "1_spinal_canal_stenosis_l1_l2"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("", "found no rows below the header"),
        (f"{ROW},0.5,abc,0.2\n", f"such as {ROW} with normal_mild '0.5', moderate 'abc'"),
        (f"{ROW},0.5,,0.2\n", r"moderate \(empty\), severe '0.2'"),
        (f"{ROW},1,0,0\n,1,0,0\n", "1 rows without row_id, the first is row 1"),
    ],
)
def test_cells_are_reported_as_written(tmp_path, rows, words):
    """No rows, a word, an empty cell and a missing row_id each have a clear line."""
    path = tmp_path / "submission.csv"
    path.write_text(HEADER + rows)

    with pytest.raises(DatasetError, match=words):
        lumbar.read_submission(lumbar.Spec(), path, "ours")
