"""A page for scans graded slice by slice: chances along the scan, and every slice to look at.

Knows grades and their pictures; how they were made, and where the page goes, it does not know.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from overread.inference import GradedStudy, Grades, Picture
from overread.records import Rubric
from overread.reporting.colours import shade
from overread.reporting.pages import image_uri, percent, render

__all__ = ["scan_page"]

TOLD = 0.5  # chances from here on are named beside a slice
WORTH = 0.05  # and from here on written into the cells


def scan_page(grades: Grades, *, title: str = "") -> str:
    """Return one page for all scans; with several, an index comes first.

    Args:
        grades: of studies whose units are slices; pictures are shown where they were kept.
        title: of the page; empty = made from what is in it.
    """
    only = grades.studies[0].study if len(grades.studies) == 1 else ""
    return render(
        "scans.html",
        title=title or (f"Grades of scan {only}" if only else "Grades of scans"),
        recipe=grades.recipe,
        bundle=grades.bundle,
        version=version("overread"),
        findings=[one.message for one in grades.findings],
        targets=[name for _, name in _questions(grades.rubric)],
        studies=[_study(grades.rubric, study) for study in grades.studies],
        steps=[{"share": step / 4, "colour": shade(step / 4)} for step in range(5)],
    )


def _questions(rubric: Rubric) -> list[tuple[str, str]]:
    """Return name and title of what is asked, what is derived as the greatest chance first."""
    derived = [(one.name, one.name) for one in rubric.derived if one.kind == "any"]
    asked = [(one.name, one.title or one.name.replace("_", " ")) for one in rubric.targets]
    return [(name, title[:1].upper() + title[1:]) for name, title in (*derived, *asked)]


def _study(rubric: Rubric, study: GradedStudy) -> dict[str, Any]:
    slices = _slices(rubric, study)
    rows = [
        {"title": title, "cells": [one["cells"][name] for one in slices]}
        for name, title in _questions(rubric)
    ]
    return {
        "name": study.study,
        "uid": study.study_uid,
        "subject": study.subject,
        "refused": study.refused,
        "notes": list(dict.fromkeys(one.message for one in study.findings)),
        "slices": slices,
        "rows": rows,
        "worst": [_worst(row, slices) for row in rows],
    }


def _slices(rubric: Rubric, study: GradedStudy) -> list[dict[str, Any]]:
    """Return the slices from the feet, each with the chance of every question."""
    chances: dict[str, dict[str, float]] = {}
    sites: dict[str, str] = {}
    frame = study.predictions.frame.select("unit", "site", "target", "probabilities")
    for unit, site, target, probabilities in frame.iter_rows():
        chances.setdefault(unit, {})[target] = 1 - probabilities[0]
        sites[unit] = site or "1/1"
    order = sorted(sites, key=lambda unit: (_place(sites[unit]), unit))
    several = len({_place(site)[0] for site in sites.values()}) > 1
    return [
        _slice(rubric, study, (unit, sites[unit]), chances[unit], several=several) for unit in order
    ]


def _place(site: str) -> tuple[int, int]:
    """Return series and place of a site.

    Example:
        >>> _place("1/0012")
        (1, 12)
    """
    series, _, place = site.partition("/")
    return int(series), int(place or 1)


def _slice(
    rubric: Rubric,
    study: GradedStudy,
    which: tuple[str, str],
    chances: Mapping[str, float],
    *,
    several: bool,
) -> dict[str, Any]:
    unit, site = which
    series, place = _place(site)
    said = dict(chances)
    for one in rubric.derived:
        if one.kind == "any" and set(one.of) <= set(chances):
            said[one.name] = max(chances[name] for name in one.of)
    cells = {name: _cell(title, said.get(name)) for name, title in _questions(rubric)}
    seen = study.seen.get(unit, ())
    told = [cell for cell in cells.values() if cell["share"] >= TOLD]
    return {
        "unit": unit,
        "place": place,
        "name": f"Series {series}, slice {place}" if several else f"Slice {place}",
        "height": float(seen[0].offsets_mm[0]) if seen else None,
        "cells": cells,
        "told": told,
        "pictures": [_picture(one) for one in study.pictures if one.site == site],
    }


def _cell(title: str, share: float | None) -> dict[str, Any]:
    known = 0.0 if share is None else share
    return {
        "title": title,
        "share": known,
        "colour": shade(known),
        "text": f"{known:.0%}"[:-1] if known >= WORTH else "",
        "spoken": f"{title}: {'no answer' if share is None else percent(known)}",
    }


def _picture(picture: Picture) -> dict[str, Any]:
    return {
        "title": picture.title,
        "uri": image_uri(picture.image),
        "sop": picture.sop_instance_uid,
        "height": picture.image.shape[0],
        "width": picture.image.shape[1],
    }


def _worst(row: Mapping[str, Any], slices: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the slice with the greatest chance of one question, the lower one of equals."""
    if not slices:
        return None
    index = max(range(len(slices)), key=lambda one: (row["cells"][one]["share"], -one))
    return {
        "title": row["title"],
        "name": slices[index]["name"],
        "number": index + 1,
        **{key: row["cells"][index][key] for key in ("share", "colour")},
    }
