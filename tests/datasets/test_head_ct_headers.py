"""Tables of header tags: parsing, order, and what is odd in them."""

import polars as pl
import pytest

from overread.datasets import DatasetError
from overread.datasets import rsna2019_head_ct as heads
from overread.datasets.head_ct_headers import index_headers, read_headers

TILTED = "['1.000000', '0.000000', '0.000000', '0.000000', '0.927184', '-0.374607']"


def header(unit, z, *, series="s", patient="p", orientation=TILTED, position=None):
    """One row."""
    return {
        "SOPInstanceUID": unit,
        "PatientID": patient,
        "StudyInstanceUID": f"study-{series}",
        "SeriesInstanceUID": series,
        "ImagePositionPatient": position or f"['-125.0', '-88.3', '{z}']",
        "ImageOrientationPatient": orientation,
    }


def test_text_tags_are_put_in_order():
    """Lists as text give heights along the normal; patients and studies come along."""
    placed, findings = index_headers(pl.DataFrame([header("b", 10.5), header("a", 5.25)]))

    assert placed["unit"].to_list() == ["a", "b"]
    assert placed["site"].to_list() == ["1/0001", "1/0002"]
    assert placed["height_mm"].diff().to_list()[1] == pytest.approx(5.25 * 0.927184, abs=2e-3)
    assert {"p"} == set(placed["subject"])
    assert findings == ()


def test_split_columns_read_like_text():
    """Columns ImagePositionPatient, ...1, ...2 give what one column of text gives."""
    text = pl.DataFrame([header("b", 10.5), header("a", 5.25)])
    numbers = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6}
    split = text.with_columns(
        pl.col(tag).str.extract_all(r"-?[\d.]+").list.get(i).alias(f"{tag}{i or ''}")
        for tag, count in numbers.items()
        for i in range(count)
    )

    assert index_headers(text)[0].equals(index_headers(split)[0])


def test_odd_rows_are_told():
    """Repeated slices and slices without a place are left out, equal places stay; all are told."""
    frame = pl.DataFrame(
        [
            header("a", 1),
            header("a", 1),
            header("b", 1),
            header("c", 2, position="[]"),
            header("d", 3),
        ]
    )
    placed, findings = index_headers(frame)

    assert placed["unit"].to_list() == ["a", "b", "d"]
    assert [one.code for one in findings] == [
        "headers_repeat",
        "headers_unplaced",
        "positions_repeat",
    ]


def test_rows_without_ids_are_refused():
    """A slice that belongs to no series cannot be placed."""
    with pytest.raises(DatasetError, match="SeriesInstanceUID"):
        index_headers(pl.DataFrame([header("a", 1) | {"SeriesInstanceUID": None}]))


def test_headers_beside_labels_tell_patients(tmp_path):
    """Tables alone know subject, study and site where a table of headers has the slice."""
    pl.DataFrame([header("ID_a", 2), header("ID_b", 1)]).write_csv(tmp_path / "headers.csv")
    pl.DataFrame({"ID": ["ID_a_any", "ID_b_any", "ID_c_any"], "Label": [1, 0, 0]}).write_csv(
        tmp_path / "stage_2_train.csv"
    )
    dataset = heads.read(heads.Spec(), tmp_path)
    found = {
        unit: (subject, site)
        for unit, subject, site in dataset.labels.frame.select(
            "unit", "subject", "site"
        ).iter_rows()
    }

    assert found == {"ID_a": ("p", "1/0002"), "ID_b": ("p", "1/0001"), "ID_c": ("ID_c", None)}
    assert "subjects_unknown" in {one.code for one in dataset.findings}


def test_the_real_header_table(real_data):
    """10,660 rows of 300 series: every slice placed, one series a study, known ties told."""
    folder = real_data / "head_ct" / "rsna2019_labels"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    placed, findings = read_headers(folder / "stage1_test_dicom_metadata_300studies.csv.gz")
    steps = placed.with_columns(step=pl.col("height_mm").diff().over("series"))["step"].drop_nulls()

    assert len(placed) == 10_660
    assert 300 == placed["study"].n_unique() == placed["subject"].n_unique()
    assert {1} == set(placed["number"])
    assert steps.min() >= 0
    assert [one.code for one in findings] == ["positions_repeat"]
