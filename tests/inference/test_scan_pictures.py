"""Pictures of scans, and the warning of a scan of one slice."""

import numpy as np
import pytest
from tiny_scans import RUBRIC, scan

from overread.inference import units_of
from overread.inference.ranges import lone_findings
from overread.inference.scan_pictures import picture_scan
from overread.records import Rubric, Target


def test_each_slice_in_two_windows() -> None:
    """Brain is 0 to 80 HU, subdural -20 to 180; slices from the feet have 0, 10, 20 ... HU."""
    pixels = scan(levels=(9,))
    sites = [site for _, site in units_of(RUBRIC, pixels.study)]
    found = picture_scan(pixels, sites)
    middle = [int(np.median(one.image)) for one in found]
    expected = [value for hu in range(0, 90, 10) for value in (hu / 80, (hu + 20) / 200)]

    assert [one.title for one in found] == ["brain", "subdural"] * 9
    assert middle == pytest.approx([255 * value for value in np.clip(expected, 0, 1)], abs=1)
    assert [one.sop_instance_uid for one in found[:4]] == ["t0-0", "t0-0", "t0-1", "t0-1"]
    assert len({one.image.shape for one in found}) == 1


def test_air_is_cut_off_alike_on_all_slices() -> None:
    """Where no slice holds anything there is no picture, but for a border."""
    pixels = scan(levels=(3,))
    for volume in pixels.volumes:
        volume.array[:] = -1000
        volume.array[1, 4:12, 6:10] = 40
    found = picture_scan(pixels, [site for _, site in units_of(RUBRIC, pixels.study)])

    [(rows, columns)] = {one.image.shape for one in found}

    # 8 of 16 rows and 4 of 16 columns of 320 px, with 6 px and at most half a pixel to either side
    assert 172 <= rows <= 192
    assert 92 <= columns <= 112


def test_a_lone_slice_is_told() -> None:
    """A scan of one slice gets a warning; a scan of two, or another kind of unit, none."""
    target = Target("grade", ("0", "1"), (1.0, 1.0))
    [lone] = lone_findings(scan("x", levels=(1,)).study, RUBRIC)

    assert (lone.code, lone.study) == ("lone_slice", "x")
    assert "found one slice, expected a scan" in lone.message
    assert lone_findings(scan(levels=(2,)).study, RUBRIC) == ()
    assert lone_findings(scan(levels=(1,)).study, Rubric("r", "study", (target,))) == ()
