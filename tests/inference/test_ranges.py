"""Blank pixels are told: a study of one value looks like any other by its geometry."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_studies import study_pixels

from overread.imaging import StudyPixels
from overread.inference import decode_study, opening
from overread.inference.ranges import blank_findings
from overread.records import Volume


def filled(value: float, *, only: int | None = None) -> StudyPixels:
    """Return the made-up study with the volumes, or one of them, holding one value."""
    pixels = study_pixels()
    volumes = tuple(
        replace(volume, array=np.full_like(volume.array, value))
        if only in (None, index)
        else volume
        for index, volume in enumerate(pixels.volumes)
    )
    return StudyPixels(pixels.study, volumes)


@pytest.mark.parametrize("value", [0, 4095])
def test_black_and_white_studies_are_told(value: int) -> None:
    """Every series of a constant study is a note that names study and series."""
    findings = blank_findings(filled(value))

    assert [(one.code, one.severity, one.study, one.series) for one in findings] == [
        ("pixels_constant", "note", "7", "1"),
        ("pixels_constant", "note", "7", "2"),
    ]
    assert "series 1 of study 7 is blank" in findings[0].message


def test_only_the_blank_series_is_told() -> None:
    """Series with an image are left in peace."""
    assert blank_findings(study_pixels()) == ()
    assert [one.series for one in blank_findings(filled(0, only=1))] == ["2"]


def test_one_pixel_that_differs_is_an_image() -> None:
    """Blank means every pixel, in every slice."""
    pixels = filled(0)
    pixels.volumes[0].array[3, 5, 7] = 1

    assert [one.series for one in blank_findings(pixels)] == ["2"]


def test_padding_is_not_looked_at() -> None:
    """White slices smaller than their array stay blank beside the black padding."""
    pixels = filled(9)
    first = pixels.volumes[0]
    padded = Volume(np.pad(first.array, ((0, 0), (0, 4), (0, 6))), first.planes, first.kind)

    assert len(blank_findings(StudyPixels(pixels.study, (padded, *pixels.volumes[1:])))) == 2


def test_decoding_tells_of_blank_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever decodes a study to grade it hears that it is blank."""
    volumes = iter(filled(0).volumes)
    monkeypatch.setattr(opening, "decode", lambda _: next(volumes))

    _, findings = decode_study(study_pixels().study)

    assert [one.code for one in findings] == ["pixels_constant", "pixels_constant"]
