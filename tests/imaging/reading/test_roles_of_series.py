"""What a series is for, from its words, times and planes, and from the user's table."""

from pathlib import Path
from typing import Any

import pytest
from written_dicom import AXIAL, CORONAL, SAGITTAL, SERIES, save, slice_dataset, write_slices

from overread.imaging.reading import ROLE_PLANE, RoleError, read_studies
from overread.imaging.reading.weighting import MrTimes, weighting_of
from overread.records import Series


def series_of(folder: Path, **values: Any) -> Series:
    normal = {AXIAL: 2, SAGITTAL: 0, CORONAL: 1}
    orientation = values.pop("orientation", SAGITTAL)
    for n in range(4):
        place = [0.0, 0.0, 0.0]
        place[normal[orientation]] = 4.0 * n
        values |= {"ImagePositionPatient": place, "ImageOrientationPatient": list(orientation)}
        save(slice_dataset(n, **values), folder / "s1" / f"{n}.dcm")
    return read_studies(folder).studies[0].series[0]


@pytest.mark.parametrize(
    ("orientation", "words", "times", "role"),
    [
        (SAGITTAL, "t1_tse_sag", ("11", "550"), "sagittal_t1"),
        (SAGITTAL, "SAG T2 FRFSE", ("110", "3600"), "sagittal_t2"),
        (AXIAL, "Ax T2", ("102", "4000"), "axial_t2"),
        (AXIAL, "AX T1 POST", ("10", "600"), "axial_t1"),
        (CORONAL, "COR PD", ("30", "2500"), "coronal_pd"),
        (AXIAL, "axial", ("100", "4000"), "axial_t2"),
        (SAGITTAL, "protocol 7", ("9", "500"), "sagittal_t1"),
    ],
)
def test_mr_roles(
    tmp_path: Path, orientation: tuple[float, ...], words: str, times: tuple[str, str], role: str
) -> None:
    """Plane by geometry, weighting by words and times (TE, TR)."""
    said = {"SeriesDescription": words, "EchoTime": times[0], "RepetitionTime": times[1]}
    series = series_of(tmp_path, orientation=orientation, **said)

    assert role == series.role
    assert series.role_confidence >= 0.6


def test_stir_counts_as_t2(tmp_path: Path) -> None:
    """A short inversion time makes fluid bright, also without a name."""
    series = series_of(
        tmp_path, SeriesDescription="SAG", EchoTime="45", RepetitionTime="3500", InversionTime="150"
    )

    assert series.role == "sagittal_t2"
    assert "STIR" in series.role_reason


def test_times_win_over_words_with_low_confidence() -> None:
    """A description copied from another protocol does not hide a long echo."""
    weighting = weighting_of("SAG T1", MrTimes(echo=110, repetition=4000))

    assert weighting.name == "t2"
    assert weighting.confidence == 0.5
    assert "T1" in weighting.reason


def test_vertebrae_are_no_weightings() -> None:
    """The words T1 and T2 together name vertebrae, or tell nothing."""
    weighting = weighting_of("C7 T1 T2", MrTimes(echo=10, repetition=500))

    assert weighting.name == "t1"
    assert "named" not in weighting.reason


def test_nothing_known_gives_no_role(tmp_path: Path) -> None:
    """Without words and times there is a finding instead of a guess."""
    series = series_of(tmp_path, SeriesDescription="", EchoTime=None, RepetitionTime=None)

    assert (series.role, series.role_confidence) == (None, 0.0)
    assert "role_unknown" in [finding.code for finding in read_studies(tmp_path).findings]


def test_ct_is_a_role(tmp_path: Path) -> None:
    """Axial CT is "ct"; reformatted planes say so."""
    ct = {"Modality": "CT", "SeriesDescription": "", "RescaleSlope": "1", "RescaleIntercept": "0"}

    assert series_of(tmp_path / "a", orientation=AXIAL, **ct).role == "ct"
    assert series_of(tmp_path / "b", orientation=CORONAL, **ct).role == "coronal_ct"


def test_a_localizer_series_has_stacks_without_role(tmp_path: Path) -> None:
    """The series is called a localizer; none of its stacks can be taken for images."""
    series = series_of(tmp_path, SeriesDescription="3-plane loc")

    assert series.role == "localizer"
    assert [stack.role for stack in series.stacks] == [None]


def test_radiographs_lie_in_no_plane(tmp_path: Path) -> None:
    """A radiograph is a picture without a place."""
    bare = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "Modality": "DX"}
    save(slice_dataset(1, **bare), tmp_path / "x.dcm")

    (series,) = read_studies(tmp_path).studies[0].series

    assert series.role == "photo_xray"
    assert series.planes.space == "image"


@pytest.mark.parametrize("key", ["s1", SERIES])
def test_the_table_comes_first(tmp_path: Path, key: str) -> None:
    """A table by folder or UID overrides what the header tells, and is certain."""
    write_slices(tmp_path / "s1", [0.0, 4.0, 8.0])

    reading = read_studies(tmp_path, roles={key: "sagittal_t1"})
    (series,) = reading.studies[0].series

    assert (series.role, series.role_confidence) == ("sagittal_t1", 1.0)
    assert [stack.role for stack in series.stacks] == ["sagittal_t1"]
    assert reading.findings == ()


def test_the_table_does_not_reach_localizers(tmp_path: Path) -> None:
    """Mixed-in images of another plane stay without a role."""
    write_slices(tmp_path / "s1", [0.0, 4.0, 8.0])
    crossing = slice_dataset(9, ImageOrientationPatient=list(AXIAL))
    save(crossing, tmp_path / "s1" / "9.dcm")

    (series,) = read_studies(tmp_path, roles={"s1": "sagittal_t2"}).studies[0].series

    assert {len(one.frames): one.role for one in series.stacks} == {3: "sagittal_t2", 1: None}


def test_wrong_and_unused_rows_of_the_table(tmp_path: Path) -> None:
    """An unknown role is an error that lists the right ones; an unused row is a finding."""
    write_slices(tmp_path / "s1", [0.0])

    with pytest.raises(RoleError, match=r'did you mean "sagittal_t1"'):
        read_studies(tmp_path, roles={"s1": "sagital_t1"})
    reading = read_studies(tmp_path, roles={"s2": "sagittal_t1"})

    assert [finding.code for finding in reading.findings] == ["role_unused"]


def test_roles_name_their_plane() -> None:
    """The first word of a role is its plane; CT is axial."""
    assert {"sagittal", "axial", "coronal", "photo"} == set(ROLE_PLANE.values())
    assert ROLE_PLANE["ct"] == "axial"
    assert all(role.split("_")[0] == plane for role, plane in ROLE_PLANE.items() if role != "ct")
