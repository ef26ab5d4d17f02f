"""Every kind of dirt is what its note says."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from overread.phantoms import dirt
from overread.phantoms.forged_study import ForgedSeries, ForgedStudy


def _rng() -> np.random.Generator:
    return np.random.default_rng(3)


def _soiled(before: ForgedStudy, after: ForgedStudy) -> tuple[ForgedSeries, ForgedSeries]:
    """Return the series that the last note names, clean and soiled."""
    name = after.dirt[-1]["series_id"]
    return tuple(
        next(series for series in study.series if series.series_id == name)
        for study in (before, after)
    )


def _points_hold(study: ForgedStudy) -> bool:
    images = {(s.series_id, image.key): image for s in study.series for image in s.slices}
    offsets = [
        images[(mark.series_id, mark.slice_key)].plane.pixel(mark.world)[2] for mark in study.points
    ]
    return bool(np.allclose(offsets, 0))


def test_dirt_depends_on_seed_and_index_alone(small_study):
    """The same study is soiled the same way; others are soiled otherwise."""
    notes = [dirt.soil_study(replace(small_study, index=i)).dirt for i in range(30)]
    again = [dirt.soil_study(replace(small_study, index=i)).dirt for i in range(30)]

    assert notes == again
    assert len({str(note) for note in notes}) > 20


def test_every_kind_occurs_and_some_studies_stay_clean(small_study):
    """In 200 studies every kind of dirt appears, and so does a clean one; points stay true."""
    soiled = [dirt.soil_study(replace(small_study, index=i)) for i in range(200)]
    kinds = Counter(note["kind"] for study in soiled for note in study.dirt)

    assert len(dirt._KINDS) == len(kinds)
    assert any(not study.dirt for study in soiled)
    assert all(_points_hold(study) for study in soiled)
    for study in soiled:
        for series in study.series:
            numbers = [image.instance for image in series.slices]
            assert len(numbers) == len(set(numbers))


def test_missing_series_takes_its_points_along(small_study):
    """One series is gone, and no point names it."""
    after = dirt._lose_series(small_study, _rng())
    lost = after.dirt[0]["series_id"]

    assert len(after.series) == 2
    assert lost not in {series.series_id for series in after.series}
    assert lost not in {mark.series_id for mark in after.points}


def test_split_axial_keeps_every_slice(small_study):
    """Several axial series hold the slices of the one, each numbered from 1."""
    after = dirt._split_axial(small_study, _rng())
    parts = [series for series in after.series if series.protocol.role == "Axial T2"]

    assert 2 <= len(parts) <= 3
    assert sorted(image.key for part in parts for image in part.slices) == list(range(1, 9))
    assert all(part.slices[0].instance == 1 for part in parts)
    assert _points_hold(after)


def test_missing_slices_are_unmarked_ones(small_study):
    """Slices are gone, no point with them, and the numbering keeps gaps."""
    after = dirt._lose_slices(small_study, _rng())
    clean, soiled = _soiled(small_study, after)

    assert len(soiled.slices) < len(clean.slices)
    assert len(small_study.points) == len(after.points)


def test_odd_matrix_stays_in_place(small_study):
    """One slice has half the matrix, and its pixel centres average the old ones."""
    clean, soiled = _soiled(small_study, after := dirt._odd_matrix(small_study, _rng()))
    odd = [i for i in range(8) if soiled.slices[i].pixels.shape != clean.slices[i].pixels.shape]

    assert len(odd) == 1
    before, now = clean.slices[odd[0]], soiled.slices[odd[0]]
    assert (6, 4) == now.pixels.shape == now.plane.shape
    assert np.allclose(before.plane.world(2.5, 4.5), now.plane.world(1, 2))
    assert _points_hold(after)


def test_localizers_cross_the_series(small_study):
    """The strangers come first and look along another direction."""
    _, soiled = _soiled(small_study, dirt._mix_in_localizers(small_study, _rng()))
    strangers = [image for image in soiled.slices if image.localizer]

    assert strangers
    assert [image.instance for image in strangers] == list(range(1, len(strangers) + 1))
    for image in strangers:
        assert abs(image.plane.normal @ soiled.slices[-1].plane.normal) < 0.5


def test_duplicates_repeat_pixels_and_place(small_study):
    """A duplicate is a slice of the series once more, under a new number."""
    clean, soiled = _soiled(small_study, dirt._duplicate_slices(small_study, _rng()))
    for copy in soiled.slices[len(clean.slices) :]:
        assert any(
            np.array_equal(copy.pixels, image.pixels)
            and np.array_equal(copy.plane.origin, image.plane.origin)
            for image in clean.slices
        )
        assert copy.instance > 8


def test_reversed_and_shuffled_numbers_rename_the_same_slices(small_study):
    """Numbers change, slices do not, and points follow their slices."""
    for soil, wanted in ((dirt._reverse, list(range(8, 0, -1))), (dirt._shuffle, None)):
        after = soil(small_study, _rng())
        _, soiled = _soiled(small_study, after)
        keys = [image.key for image in soiled.slices]

        assert sorted(keys) == list(range(1, 9))
        assert keys == wanted or (wanted is None and keys != sorted(keys))
        assert [image.instance for image in soiled.slices] == list(range(1, 9))
        assert _points_hold(after)


def test_wrong_header_numbers_leave_file_names(small_study):
    """Headers disagree with file names, which stay."""
    clean, soiled = _soiled(small_study, dirt._wrong_header_numbers(small_study, _rng()))

    assert [i.instance for i in clean.slices] == [i.instance for i in soiled.slices]
    assert any(image.header_instance != image.instance for image in soiled.slices)


def test_compression_changes_the_syntax_only(small_study):
    """A compressed series keeps its slices."""
    after = dirt._compress(small_study, _rng())

    assert after.dirt
    for note in after.dirt:
        name = note["series_id"]
        clean, soiled = (
            next(s for s in study.series if s.series_id == name) for study in (small_study, after)
        )
        assert soiled.transfer_syntax != clean.transfer_syntax
        assert soiled.slices == clean.slices


@pytest.mark.parametrize("seed", range(3))
def test_lost_grades_lose_their_points(small_study, seed):
    """Grades become missing in labels and truth alike, and their points go."""
    after = dirt._lose_grades(small_study, np.random.default_rng(seed))
    lost = after.severity.missing & ~small_study.severity.missing

    assert 1 <= lost.sum() <= 6
    assert after.truth["missing"] == after.severity.missing.tolist()
    assert not any(after.severity.missing[mark.condition, mark.level] for mark in after.points)
