"""A page for graded studies, as a radiologist wants it: levels, grades, pictures, doubts.

Knows grades and their evidence; how they were made, and where the page goes, it does not know.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from overread.inference import GradedStudy, Grades, Picture
from overread.records import Rubric, Target
from overread.reporting.colours import grade_colours
from overread.reporting.pages import image_uri, render

__all__ = ["study_page"]

SURE, UNSURE = "#ffd84d", "#ff9d6e"
DOUBTFUL = 0.5
# Findings that a reader of grades does not need.
TECHNICAL = frozenset({"role_from_header", "sizes_mixed", "duplicate_frame"})


def study_page(grades: Grades, *, title: str = "") -> str:
    """Return one page for all studies; with several, an index comes first.

    Args:
        grades: of one or more studies; pictures are shown where they were kept.
        title: of the page; empty = made from what is in it.
    """
    only = grades.studies[0].study if len(grades.studies) == 1 else ""
    return render(
        "study.html",
        title=title or (f"Grades of study {only}" if only else "Grades"),
        recipe=grades.recipe,
        bundle=grades.bundle,
        version=version("overread"),
        findings=[one.message for one in grades.findings],
        coverage=grades.coverage,
        num_refused=sum(study.refused is not None for study in grades.studies),
        targets=[_named(target) for target in grades.rubric.targets],
        scales=_scales(grades.rubric),
        studies=[_study(grades.rubric, study) for study in grades.studies],
    )


def _named(target: Target) -> dict[str, str]:
    return {"name": target.name, "title": target.title or _words(target.name).capitalize()}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _scales(rubric: Rubric) -> list[list[dict[str, str]]]:
    """Return the different scales of the rubric, each with grades and colours."""
    scales = dict.fromkeys((target.grades, grade_colours(target)) for target in rubric.targets)
    return [
        [{"grade": _words(grade), "colour": colour} for grade, colour in zip(*scale, strict=True)]
        for scale in scales
    ]


def _study(rubric: Rubric, study: GradedStudy) -> dict[str, Any]:
    units = _units(rubric, study)
    notes = dict.fromkeys(one.message for one in study.findings if one.code not in TECHNICAL)
    return {
        "name": study.study,
        "uid": study.study_uid,
        "subject": study.subject,
        "refused": study.refused,
        "notes": [] if study.refused else list(notes),
        "codes": list(dict.fromkeys(one.code.replace("_", " ") for one in study.findings)),
        "overviews": [_overview(one) for one in study.pictures if one.kind == "overview"],
        "units": units,
        "worst": [_worst(units, place) for place in range(len(rubric.targets))],
        "locators": _locators(study),
    }


def _units(rubric: Rubric, study: GradedStudy) -> list[dict[str, Any]]:
    """Return the units in the rubric's order, with an answer (or None) for each target."""
    frame = study.predictions.frame
    answers: dict[tuple[str, str], Sequence[float]] = {
        (row["unit"], row["target"]): row["probabilities"] for row in frame.iter_rows(named=True)
    }
    order = {site: number for number, site in enumerate(rubric.sites)}
    found = sorted(set(zip(frame["unit"], frame["site"], strict=True)), key=lambda u: u[0])
    found.sort(key=lambda unit: order.get(unit[1], -1))
    crops = [one for one in study.pictures if one.kind != "overview"]
    return [
        {
            "name": site or "Study",
            "site": site,
            "answers": [
                _answer(target, answers[unit, target.name], study.set_of(unit, target.name))
                if (unit, target.name) in answers
                else None
                for target in rubric.targets
            ],
            "crops": [_crop(one) for one in crops if one.site == site],
            "views": _views(study, unit),
        }
        for unit, site in found
    ]


def _answer(
    target: Target, probabilities: Sequence[float], held: Sequence[int] | None
) -> dict[str, Any]:
    colours = grade_colours(target)
    best = int(np.argmax(probabilities))
    parts = zip(target.grades, probabilities, colours, strict=True)
    return {
        **_named(target),
        "grade": _words(target.grades[best]),
        "rank": best,
        "share": probabilities[best],
        "set": [_words(target.grades[one]) for one in held or ()],
        "doubtful": held is not None and list(held) != [best],
        "colour": colours[best],
        "parts": [{"share": share, "colour": colour} for _, share, colour in parts],
        "spoken": ", ".join(
            f"{_words(grade)} {share:.0%}"
            for grade, share in zip(target.grades, probabilities, strict=True)
        ),
    }


def _worst(units: Sequence[Mapping[str, Any]], place: int) -> dict[str, Any] | None:
    """Return the worst answer to a target over the units; the more probable one of equals."""
    answered = [unit for unit in units if unit["answers"][place]]
    if not answered:
        return None
    unit = max(
        answered, key=lambda one: (one["answers"][place]["rank"], one["answers"][place]["share"])
    )
    return {"site": unit["site"], "answer": unit["answers"][place]}


def _crop(picture: Picture) -> dict[str, Any]:
    height, width = picture.image.shape[:2]
    return {
        "title": picture.title,
        "width": width,
        "height": height,
        "outline": " ".join(f"{x:.1f},{y:.1f}" for x, y in picture.outline),
        "uri": image_uri(picture.image),
        "sop": picture.sop_instance_uid,
    }


def _overview(picture: Picture) -> dict[str, Any]:
    """Return the picture with its marks; labels stand beside all, apart from one another."""
    height, width = picture.image.shape[:2]
    unit = max(height, width) / 420
    marks = sorted(picture.marks, key=lambda mark: mark.y)
    heights = _spread([mark.y for mark in marks], gap=13 * unit)
    label_x = _beside([mark.x for mark in marks], width, away=30 * unit, wide=92 * unit)
    return {
        "title": picture.title,
        "uri": image_uri(picture.image),
        "width": width,
        "height": height,
        "unit": round(unit, 3),
        "any_doubtful": any(mark.confidence < DOUBTFUL for mark in marks),
        "marks": [
            {
                "name": mark.name,
                "x": round(mark.x, 1),
                "y": round(mark.y, 1),
                "label_x": round(label_x, 1),
                "label_y": round(label_y, 1),
                "confidence": mark.confidence,
                "doubtful": mark.confidence < DOUBTFUL,
                "colour": UNSURE if mark.confidence < DOUBTFUL else SURE,
            }
            for mark, label_y in zip(marks, heights, strict=True)
        ],
    }


def _beside(places: Sequence[float], width: float, *, away: float, wide: float) -> float:
    """Return where labels start: right of all places, else left of them, else at the right edge.

    Example:
        >>> _beside([100.0, 180.0], 300, away=10, wide=90)
        190.0
        >>> _beside([120.0, 250.0], 300, away=10, wide=90)
        20.0
        >>> _beside([50.0, 250.0], 300.0, away=10, wide=90)
        210.0
    """
    right = max(places, default=0.0) + away
    left = min(places, default=0.0) - away - wide
    if right + wide <= width:
        return right
    return left if left >= 0 else width - wide


def _spread(places: Sequence[float], *, gap: float) -> list[float]:
    """Return places in the same order, moved apart to at least `gap`, as little as possible.

    Example:
        >>> _spread([10.0, 12.0, 50.0], gap=10)
        [6.0, 16.0, 50.0]
    """
    groups: list[list[float]] = []
    for place in places:
        groups.append([place])
        while len(groups) > 1 and _start(groups[-1], gap) - _end(groups[-2], gap) < gap:
            last = groups.pop()
            groups[-1] += last
    return [_start(group, gap) + number * gap for group in groups for number in range(len(group))]


def _start(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) - (len(group) - 1) / 2 * gap


def _end(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) + (len(group) - 1) / 2 * gap


def _locators(study: GradedStudy) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "points": [
                {"name": point, "mm": place.tolist(), "confidence": float(confidence)}
                for point, place, confidence in zip(
                    points.names, points.points, points.confidence, strict=True
                )
            ],
        }
        for name, points in study.keypoints.items()
    ]


def _views(study: GradedStudy, unit: str) -> list[dict[str, Any]]:
    return [
        {
            "name": seen.view,
            "slices": [
                {"uid": frame.sop_instance_uid, "offset": float(offset)}
                for frame, offset in zip(seen.frames, seen.offsets_mm, strict=True)
                if frame is not None
            ],
        }
        for seen in study.seen.get(unit, ())
        if any(seen.frames)
    ]
