"""A page for graded photographs: each picture with its answers, the least sure first if asked.

Knows grades and their pictures; how they were made, and where the page goes, it does not know.
"""

from collections.abc import Sequence
from importlib.metadata import version
from itertools import chain
from typing import Any

import numpy as np

from overread.inference import GradedStudy, Grades
from overread.inference.grades import answer_confidence
from overread.records import Rubric, Target
from overread.reporting.colours import grade_colours
from overread.reporting.pages import image_uri, render

__all__ = ["photo_page"]

DOUBTFUL = 0.35  # confidence below which an answer is marked


def photo_page(grades: Grades, *, title: str = "") -> str:
    """Return one page for all photographs: counts, then a card for each.

    Args:
        grades: of one or more photographs; pictures are shown where they were kept.
        title: of the page; empty = made from what is in it.
    """
    shown = [_photo(grades.rubric, study) for study in grades.studies if study.refused is None]
    refused = [
        {"name": study.study, "why": study.refused}
        for study in grades.studies
        if study.refused is not None
    ]
    return render(
        "photos.html",
        title=title or "Grades of photographs",
        recipe=grades.recipe,
        bundle=grades.bundle,
        version=version("overread"),
        findings=[one.message for one in grades.findings],
        refused=refused,
        photos=shown,
        num_doubtful=sum(photo["doubtful"] for photo in shown),
        counts=[_counted(target, shown) for target in grades.rubric.targets],
        classes=[_classes(target.name, shown) for target, _ in grades.rubric.joint],
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _photo(rubric: Rubric, study: GradedStudy) -> dict[str, Any]:
    said = dict(study.predictions.frame.select("target", "probabilities").iter_rows())
    answers = [
        _answer(target, said[target.name]) for target in rubric.targets if target.name in said
    ]
    picture = next((one for one in study.pictures if one.kind == "photo"), None)
    notes = dict.fromkeys(one.message for one in study.findings)
    grades = {target.name: target.grades for target, _ in rubric.joint}
    return {
        "name": study.study,
        "subject": study.subject if study.subject != study.study else "",
        "uri": image_uri(picture.image) if picture else "",
        "answers": answers,
        "classes": [
            {"name": name, "code": code, "grade": _words(grades[name][code])}
            for name, chances in rubric.combine(said).items()
            for code in (int(np.argmax(chances)),)
        ],
        "doubtful": any(answer["doubtful"] for answer in answers),
        "notes": list(notes),
    }


def _answer(target: Target, probabilities: Sequence[float]) -> dict[str, Any]:
    colours = grade_colours(target)
    best = int(np.argmax(probabilities))
    return {
        "target": target.name,
        "title": target.title or _words(target.name).capitalize(),
        "grade": _words(target.grades[best]),
        "share": probabilities[best],
        "colour": colours[best],
        "doubtful": answer_confidence(probabilities) < DOUBTFUL,
        "parts": [
            {"share": share, "colour": colour}
            for share, colour in zip(probabilities, colours, strict=True)
        ],
        "spoken": ", ".join(
            f"{_words(grade)} {share:.0%}"
            for grade, share in zip(target.grades, probabilities, strict=True)
        ),
    }


def _counted(target: Target, photos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how many photographs have each grade, with colours."""
    every = [
        answer["grade"]
        for answer in chain.from_iterable(photo["answers"] for photo in photos)
        if answer["target"] == target.name
    ]
    return {
        "title": target.title or _words(target.name).capitalize(),
        "parts": [
            {
                "grade": _words(grade),
                "colour": colour,
                "number": every.count(_words(grade)),
                "share": every.count(_words(grade)) / max(len(every), 1),
            }
            for grade, colour in zip(target.grades, grade_colours(target), strict=True)
        ],
    }


def _classes(name: str, photos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how many photographs have each combination that was said, in its order."""
    found: dict[tuple[int, str], int] = {}
    for one in chain.from_iterable(photo["classes"] for photo in photos):
        if one["name"] == name:
            key = (one["code"], one["grade"])
            found[key] = found.get(key, 0) + 1
    rows = [{"code": key[0], "grade": key[1], "number": found[key]} for key in sorted(found)]
    return {"title": _words(name).capitalize(), "rows": rows}
