"""Soils a clean study the way real exports are soiled, and keeps a list of what was done.

Each kind of dirt is a function from study to study that appends what it did to `study.dirt`.
Marked points name slices by key, so they survive renumbering; points on lost slices are lost.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from overread.phantoms.forged_study import DirtNote, ForgedSeries, ForgedSlice, ForgedStudy
from overread.phantoms.streams import number_of, stream

AXIAL = "Axial T2"


def soil_study(study: ForgedStudy) -> ForgedStudy:
    """Return the study with dirt, drawn from its seed and index; some studies stay clean."""
    rng = stream(study.seed, study.index, "dirt")
    for chance, soil in _KINDS:
        # One generator per kind: the draws of one kind do not move those of the next.
        own = np.random.default_rng(rng.integers(2**63))
        if own.random() < chance:
            study = soil(study, own)
    return study


def _pick(rng: np.random.Generator, study: ForgedStudy) -> ForgedSeries:
    return study.series[int(rng.integers(len(study.series)))]


def _swap(
    study: ForgedStudy, series: ForgedSeries, soiled: ForgedSeries, kind: str, detail: str
) -> ForgedStudy:
    """Put a soiled series in the place of a clean one, and note it."""
    parts = tuple(soiled if one is series else one for one in study.series)
    note: DirtNote = {"kind": kind, "series_id": series.series_id, "detail": detail}
    return replace(study, series=parts, dirt=(*study.dirt, note))


def _drop_lost_points(study: ForgedStudy) -> ForgedStudy:
    """Drop points on slices that are no longer there."""
    there = {(series.series_id, image.key) for series in study.series for image in series.slices}
    kept = tuple(mark for mark in study.points if (mark.series_id, mark.slice_key) in there)
    return replace(study, points=kept)


def _some(rng: np.random.Generator, count: int) -> list[int]:
    """Pick one to three of `count` things."""
    wanted = min(int(rng.integers(1, 4)), count)
    return [int(i) for i in rng.choice(count, wanted, replace=False)]


def _numbered(slices: Iterable[ForgedSlice]) -> tuple[ForgedSlice, ...]:
    return tuple(replace(image, instance=i) for i, image in enumerate(slices, start=1))


def _lose_series(study: ForgedStudy, rng: np.random.Generator) -> ForgedStudy:
    lost = _pick(rng, study)
    note: DirtNote = {
        "kind": "missing_series",
        "series_id": lost.series_id,
        "detail": lost.protocol.role,
    }
    left = tuple(series for series in study.series if series is not lost)
    return _drop_lost_points(replace(study, series=left, dirt=(*study.dirt, note)))


def _split_axial(study: ForgedStudy, rng: np.random.Generator) -> ForgedStudy:
    """Divide the axial series into two or three, as scanners do that plan block by block."""
    axial = [series for series in study.series if series.protocol.role == AXIAL]
    if not axial or len(axial[0].slices) < 6:
        return study
    whole, count = axial[0], int(rng.integers(2, 4))
    parts = np.array_split(np.arange(len(whole.slices)), count)
    home: dict[int, int] = {}
    split = []
    for place, part in enumerate(parts):
        name = whole.series_id if place == 0 else number_of(study.seed, study.index, 3 + place)
        images = [whole.slices[i] for i in part]
        home |= {image.key: name for image in images}
        split.append(replace(whole, series_id=name, slices=_numbered(images)))
    others = tuple(series for series in study.series if series is not whole)
    marks = tuple(
        replace(mark, series_id=home[mark.slice_key]) if mark.series_id == whole.series_id else mark
        for mark in study.points
    )
    note: DirtNote = {
        "kind": "several_axial_series",
        "series_id": whole.series_id,
        "detail": f"{count} series",
    }
    return replace(study, series=(*others, *split), points=marks, dirt=(*study.dirt, note))


def _lose_slices(study: ForgedStudy, rng: np.random.Generator) -> ForgedStudy:
    """Lose one or two unmarked inner slices; the numbering keeps its gaps."""
    series = _pick(rng, study)
    marked = {mark.slice_key for mark in study.points if mark.series_id == series.series_id}
    free = [image for image in series.slices[1:-1] if image.key not in marked]
    if len(free) < 3:
        return study
    gone = {free[i].key for i in rng.choice(len(free), int(rng.integers(1, 3)), replace=False)}
    left = tuple(image for image in series.slices if image.key not in gone)
    return _swap(
        study, series, replace(series, slices=left), "missing_slices", f"{len(gone)} slices"
    )


def _halve(image: ForgedSlice) -> ForgedSlice:
    """Return the slice with half the matrix, averaged over 2 x 2 pixels, in the same place."""
    rows, columns = (size // 2 for size in image.pixels.shape)
    blocks = image.pixels[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)
    spacing = (2 * image.plane.spacing[0], 2 * image.plane.spacing[1])
    plane = replace(
        image.plane, origin=image.plane.world(0.5, 0.5), spacing=spacing, shape=(rows, columns)
    )
    return replace(image, plane=plane, pixels=np.rint(blocks.mean((1, 3))).astype(np.uint16))


def _odd_matrix(study: ForgedStudy, rng: np.random.Generator) -> ForgedStudy:
    series = _pick(rng, study)
    odd = int(rng.integers(len(series.slices)))
    images = list(series.slices)
    images[odd] = _halve(images[odd])
    return _swap(
        study,
        series,
        replace(series, slices=tuple(images)),
        "odd_matrix",
        f"slice {images[odd].key}",
    )


def _mix_in_localizers(study: ForgedStudy, rng: np.random.Generator) -> ForgedStudy:
    """Put one to three coarse slices of the other direction in front of a series."""
    series = _pick(rng, study)
    across = [
        one
        for one in study.series
        if (one.protocol.role == AXIAL) != (series.protocol.role == AXIAL)
    ]
    if not across:
        return study
    source = across[0].slices
    chosen = _some(rng, len(source))
    first = 1 + max(image.key for image in series.slices)
    strangers = [
        replace(_halve(source[i]), key=first + n, localizer=True) for n, i in enumerate(chosen)
    ]
    mixed = replace(series, slices=_numbered([*strangers, *series.slices]))
    return _swap(study, series, mixed, "localizers", f"{len(strangers)} slices")


def _duplicate_slices(study: ForgedStudy, rng: np.random.Generator) -> ForgedStudy:
    series = _pick(rng, study)
    chosen = _some(rng, len(series.slices))
    key = max(image.key for image in series.slices)
    number = max(image.instance for image in series.slices)
    copies = tuple(
        replace(series.slices[i], key=key + n, instance=number + n)
        for n, i in enumerate(chosen, start=1)
    )
    soiled = replace(series, slices=series.slices + copies)
    return _swap(study, series, soiled, "duplicate_slices", f"{len(copies)} slices")


def _reverse(study: ForgedStudy, rng: np.random.Generator) -> ForgedStudy:
    series = _pick(rng, study)
    soiled = replace(series, slices=_numbered(series.slices[::-1]))
    return _swap(study, series, soiled, "reversed_order", "numbers run the other way")


def _shuffle(study: ForgedStudy, rng: np.random.Generator) -> ForgedStudy:
    series = _pick(rng, study)
    order = rng.permutation(len(series.slices))
    soiled = replace(series, slices=_numbered(series.slices[i] for i in order))
    return _swap(study, series, soiled, "shuffled_numbers", "file names and headers alike")


def _wrong_header_numbers(study: ForgedStudy, rng: np.random.Generator) -> ForgedStudy:
    """Let InstanceNumber in the header disagree with the file name."""
    series = _pick(rng, study)
    numbers = [image.instance for image in series.slices]
    wrong = [1] * len(numbers) if rng.random() < 0.5 else [int(n) for n in rng.permutation(numbers)]
    images = tuple(
        replace(image, header_instance=number)
        for image, number in zip(series.slices, wrong, strict=True)
    )
    return _swap(
        study,
        series,
        replace(series, slices=images),
        "wrong_header_numbers",
        "all 1" if set(wrong) == {1} else "shuffled",
    )


def _compress(study: ForgedStudy, rng: np.random.Generator) -> ForgedStudy:
    syntaxes = (RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLosslessSV1)
    for series in study.series:
        if rng.random() < 0.6:
            syntax = syntaxes[int(rng.integers(len(syntaxes)))]
            soiled = replace(series, transfer_syntax=str(syntax))
            study = _swap(study, series, soiled, "compressed", syntax.name)
    return study


def _stray_file(study: ForgedStudy, rng: np.random.Generator) -> ForgedStudy:
    series = _pick(rng, study)
    return _swap(study, series, replace(series, stray_file=True), "stray_file", "notes.dcm")


def _lose_grades(study: ForgedStudy, rng: np.random.Generator) -> ForgedStudy:
    """Leave one to six more grades empty, and their points with them."""
    missing = study.severity.missing.copy()
    places = rng.choice(25, int(rng.integers(1, 7)), replace=False)
    missing.flat[places] = True
    marks = tuple(mark for mark in study.points if not missing[mark.condition, mark.level])
    note: DirtNote = {
        "kind": "missing_grades",
        "series_id": None,
        "detail": f"{len(places)} grades",
    }
    return replace(
        study,
        severity=replace(study.severity, missing=missing),
        points=marks,
        truth=study.truth | {"missing": missing.tolist()},
        dirt=(*study.dirt, note),
    )


_KINDS: tuple[tuple[float, Callable[[ForgedStudy, np.random.Generator], ForgedStudy]], ...] = (
    (0.25, _split_axial),
    (0.10, _lose_series),
    (0.12, _lose_slices),
    (0.15, _odd_matrix),
    (0.20, _mix_in_localizers),
    (0.18, _duplicate_slices),
    (0.22, _reverse),
    (0.18, _shuffle),
    (0.15, _wrong_header_numbers),
    (0.35, _compress),
    (0.15, _stray_file),
    (0.30, _lose_grades),
)
