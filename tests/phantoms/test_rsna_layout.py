"""Rows and files of one tiny study."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from pydicom import dcmread

from overread.phantoms.dicom_elements import make_uid
from overread.phantoms.dicom_writing import write_series
from overread.phantoms.rsna_layout import TARGETS, write_study, write_tables
from overread.phantoms.scanner import VENDORS


def test_targets_are_condition_major():
    """Twenty-five targets, five levels of one condition after the other."""
    assert len(TARGETS) == 25
    assert TARGETS[4] == "spinal_canal_stenosis_l5_s1"
    assert TARGETS[5] == "left_neural_foraminal_narrowing_l1_l2"


def test_missing_grades_are_empty_cells(small_study, tmp_path):
    """A missing grade is an empty cell, never a word or a number."""
    missing = np.zeros((5, 5), bool)
    missing[3, 0] = True
    study = replace(small_study, severity=replace(small_study.severity, missing=missing))
    write_tables(tmp_path, [write_study(tmp_path, study)])
    row = (tmp_path / "train.csv").read_text(encoding="utf-8").splitlines()[1].split(",")

    assert row[1 + TARGETS.index("left_subarticular_stenosis_l1_l2")] == ""
    assert row.count("") == 1


def test_points_name_the_file_and_its_pixel(small_study, tmp_path):
    """A point's row has the file's name and the column and row of its world point."""
    write_tables(tmp_path, [write_study(tmp_path, small_study)])
    points = pl.read_csv(tmp_path / "train_label_coordinates.csv")

    assert points["instance_number"].to_list() == [4] * 5
    assert np.allclose(points["x"], 3.5)
    assert np.allclose(points["y"], 6.25)
    assert points["condition"][1] == "Left Neural Foraminal Narrowing"


def test_truth_is_json_with_the_dirt(small_study, tmp_path):
    """The truth file lists each study with its series and notes."""
    note = {"kind": "stray_file", "series_id": 100, "detail": "notes.dcm"}
    study = replace(small_study, dirt=(note,))
    write_tables(tmp_path, [write_study(tmp_path, study)])
    truth = json.loads((tmp_path / "phantom_truth.json").read_text(encoding="utf-8"))

    assert [note] == truth["studies"][0]["dirt"]
    assert {"100", "101", "102"} == set(truth["studies"][0]["series"])


def test_a_stray_file_is_not_dicom(small_study, tmp_path):
    """The stray file bears the suffix and is no image."""
    series = replace(small_study.series[0], stray_file=True)
    write_series(tmp_path, replace(small_study, series=(series,)), series)

    assert len(list(tmp_path.glob("*.dcm"))) == 9
    assert b"DICM" not in (tmp_path / "notes.dcm").read_bytes()


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.model)
def test_headers_follow_the_vendor(small_study, tmp_path, vendor):
    """Bits, rescale and sequence are the vendor's; IPP, IOP and spacing are the plane's."""
    study = replace(small_study, vendor=vendor)
    series = study.series[0]
    write_series(tmp_path, study, series)
    header = dcmread(tmp_path / "3.dcm")
    plane = series.slices[2].plane

    assert vendor.bits_stored == header.BitsStored == header.HighBit + 1
    assert vendor.rescale == ("RescaleSlope" in header)
    assert header.Manufacturer == vendor.manufacturer
    assert [float(v) for v in header.ImagePositionPatient] == plane.origin.tolist()
    assert [float(v) for v in header.PixelSpacing] == list(plane.spacing)
    assert np.array_equal(header.pixel_array, series.slices[2].pixels)


def test_header_numbers_can_disagree_with_file_names(small_study, tmp_path):
    """InstanceNumber is the header's own where the slice has one."""
    series = small_study.series[0]
    odd = replace(series, slices=(replace(series.slices[0], header_instance=9),))
    write_series(tmp_path, replace(small_study, series=(odd,)), odd)

    assert dcmread(tmp_path / "1.dcm").InstanceNumber == 9


def test_uids_depend_on_words_alone():
    """Equal words give equal UIDs of legal length under 2.25."""
    assert make_uid("a", 1) == make_uid("a", 1)
    assert make_uid("a", 1) != make_uid("a", 2)
    assert make_uid("a", 1).startswith("2.25.")
    assert len(make_uid("a", 1)) <= 64


def test_elements_are_in_ascending_order_and_of_even_length(small_study, tmp_path):
    """A strict reader finds the tags in order, and a file that pydicom writes again unchanged."""
    write_series(tmp_path, small_study, small_study.series[0])
    path = tmp_path / "2.dcm"
    header = dcmread(path)
    tags = [element.tag for element in header]
    header.save_as(tmp_path / "again.dcm", enforce_file_format=True)

    assert sorted(tags) == tags
    assert path.read_bytes() == (tmp_path / "again.dcm").read_bytes()
