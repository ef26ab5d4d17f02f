"""Draws one complete study from (seed, index): person, scanner, images, marked points, truth."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from overread.phantoms.anatomy import Spine, build_spine
from overread.phantoms.canal import Roots, draw_roots, paint_canal
from overread.phantoms.canvas import Canvas
from overread.phantoms.foramina import paint_foramina
from overread.phantoms.forged_study import ForgedSeries, ForgedSlice, ForgedStudy, LabelledPoint
from overread.phantoms.sampling import F64, SlicePlane
from overread.phantoms.scanner import Protocol, Session, draw_session, expose, gain
from overread.phantoms.severity import LEVELS, Severity, draw_severity
from overread.phantoms.streams import number_of, stream
from overread.phantoms.tissue import Contrast
from overread.phantoms.torso import Torso, draw_torso, paint_torso
from overread.phantoms.vertebral_column import (
    Look,
    draw_look,
    paint_arches,
    paint_bodies,
    paint_discs,
    paint_facets,
)


@dataclass(frozen=True)
class Person:
    """One imaginary person."""

    severity: Severity
    spine: Spine
    look: Look
    roots: Roots
    torso: Torso


def draw_person(seed: int, index: int) -> Person:
    """Draw the person of one study."""
    severity = draw_severity(stream(seed, index, "severity"))
    rng = stream(seed, index, "person")
    spine = build_spine(rng, severity)
    return Person(severity, spine, draw_look(rng, spine), draw_roots(rng), draw_torso(rng, spine))


def paint_person(person: Person, plane: SlicePlane, contrasts: tuple[Contrast, ...]) -> Canvas:
    """Paint a person on a plane, far things first."""
    canvas = Canvas(plane, contrasts)
    paint_torso(canvas, person.torso)
    paint_discs(canvas, person.spine)
    paint_bodies(canvas, person.spine, person.look)
    paint_arches(canvas, person.spine, person.look)
    paint_facets(canvas, person.spine)
    paint_foramina(canvas, person.spine)
    paint_canal(canvas, person.spine, person.roots)
    return canvas


def draw_study(seed: int, index: int) -> ForgedStudy:
    """Draw one clean study; a function of seed and index alone."""
    person = draw_person(seed, index)
    session = draw_session(
        stream(seed, index, "session"), person.spine, person.severity.first_axial_level
    )
    series = _expose_all(person, session, seed, index)
    return ForgedStudy(
        study_id=number_of(seed, index),
        index=index,
        seed=seed,
        vendor=session.vendor,
        severity=person.severity,
        series=series,
        points=_mark(person, series),
        truth=_truth(person, session),
    )


def _expose_all(
    person: Person, session: Session, seed: int, index: int
) -> tuple[ForgedSeries, ...]:
    rng = stream(seed, index, "noise")
    t1, t2, axial = session.sagittal_t1, session.sagittal_t2, session.axial_t2
    stacks: dict[str, list[ForgedSlice]] = {t1.role: [], t2.role: [], axial.role: []}

    def shoot(plane: SlicePlane, protocols: tuple[Protocol, ...]) -> None:
        """Paint one plane once, and expose it under every protocol."""
        canvas = paint_person(person, plane, tuple(protocol.contrast for protocol in protocols))
        bright = gain(session, plane, banded=axial not in protocols)
        for protocol, tissue in zip(protocols, canvas.images, strict=True):
            number = len(stacks[protocol.role]) + 1
            pixels = expose(rng, session, protocol, bright, tissue)
            stacks[protocol.role].append(ForgedSlice(number, number, plane, pixels))

    for plane in session.sagittal_planes:
        shoot(plane, (t1, t2))
    for plane in session.axial_planes:
        shoot(plane, (axial,))
    return tuple(
        ForgedSeries(number_of(seed, index, i), protocol, tuple(stacks[protocol.role]))
        for i, protocol in enumerate((t1, t2, axial))
    )


def _nearest(series: ForgedSeries, point: F64) -> ForgedSlice:
    return min(series.slices, key=lambda image: abs(float(image.plane.pixel(point)[2])))


def _mark(person: Person, series: tuple[ForgedSeries, ...]) -> tuple[LabelledPoint, ...]:
    """Mark points as the readers did: one slice for the whole canal where one slice will do."""
    spine, (t1, t2, axial) = person.spine, series
    marks = []
    centres = [spine.canal_centre(level) for level in range(5)]
    common = _nearest(t2, np.mean(centres, axis=0))
    offsets = [abs(float(common.plane.pixel(centre)[2])) for centre in centres]
    together = max(offsets) < 0.75 * common.plane.thickness
    for level, centre in enumerate(centres):
        image = common if together else _nearest(t2, centre)
        marks.append(LabelledPoint(0, level, t2.series_id, image.key, centre))
    for condition, side in ((1, 1), (2, -1)):
        for level in range(5):
            point = spine.foramen(level, side)
            marks.append(
                LabelledPoint(condition, level, t1.series_id, _nearest(t1, point).key, point)
            )
    for condition, side in ((3, 1), (4, -1)):
        for level in range(person.severity.first_axial_level, 5):
            point = spine.recess(level, side)
            image = _nearest(axial, spine.canal_centre(level))
            if abs(float(image.plane.pixel(point)[2])) > image.plane.thickness:
                image = _nearest(axial, point)
            marks.append(LabelledPoint(condition, level, axial.series_id, image.key, point))
    missing = person.severity.missing
    return tuple(mark for mark in marks if not missing[mark.condition, mark.level])


def _truth(person: Person, session: Session) -> dict[str, Any]:
    spine = person.spine

    def numbers(point: F64) -> list[float]:
        return [round(float(value), 4) for value in point]

    sides = {"left": 1, "right": -1}
    return {
        "levels": list(LEVELS),
        "disc_centres": [numbers(spine.disc_centre(level)) for level in range(5)],
        "canal_centres": [numbers(spine.canal_centre(level)) for level in range(5)],
        "foramina": {
            name: [numbers(spine.foramen(level, side)) for level in range(5)]
            for name, side in sides.items()
        },
        "recesses": {
            name: [numbers(spine.recess(level, side)) for level in range(5)]
            for name, side in sides.items()
        },
        "latent": [numbers(row) for row in person.severity.latent],
        "depth": [numbers(row) for row in person.severity.depth],
        "grade": person.severity.grade.tolist(),
        "missing": person.severity.missing.tolist(),
        "size": round(spine.size, 4),
        "scanner": {
            "manufacturer": session.vendor.manufacturer,
            "model": session.vendor.model,
            "tesla": session.vendor.tesla,
            "noise": round(session.sagittal_t1.noise, 5),
            "coil_mm": round(session.coil_mm, 2),
            "band_mm": None if session.band_mm is None else round(session.band_mm, 2),
            "sagittal_t2_contrast": session.sagittal_t2.contrast,
        },
    }
