"""One page about a run: what it is worth, where it fails, on what data, at what cost.

Takes a `RunReport`; the store and the pipeline are not known here.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl

from overread.records import Finding, Rubric, Scores, Target
from overread.reporting.colours import grade_colours
from overread.reporting.figures import (
    draw_confusion,
    draw_curves,
    draw_forest,
    draw_points,
    draw_reliability,
)
from overread.reporting.pages import image_uri, render, svg_uri
from overread.reporting.run_report import Case, RunReport
from overread.reporting.tallies import Tally, tally
from overread.reporting.trust_page import trust_content

__all__ = ["run_page"]

SECTIONS = {
    "scores": "Scores",
    "differences": "Differences",
    "sites": "By site",
    "answers": "Answers",
    "reliability": "Reliability",
    "sets": "Sets of grades",
    "referral": "Referral",
    "costs": "Decisions",
    "effects": "Members",
    "verdicts": "Verdicts",
    "readers": "Readers",
    "points": "Points",
    "curves": "Learning",
    "cases": "Worst answers",
    "findings": "Data",
    "timings": "Time",
    "recipe": "Recipe",
}


def run_page(report: RunReport) -> str:
    """Return the page; parts for which there is nothing are left out."""
    tallies = tally(report.rubric, report.labels, report.predictions, report.final)
    metrics = _metrics(report.scores, report.final)
    content: dict[str, Any] = {
        "tiles": _tiles(report.scores, report.final),
        "metrics": metrics,
        "differences": _differences(report.differences),
        "sites": _sites(report.rubric, tallies),
        "confusion": svg_uri(draw_confusion(tallies)) if tallies else "",
        "reliability": svg_uri(draw_reliability(tallies)) if tallies else "",
        "points": _points(report.points),
        "curves": svg_uri(draw_curves(report.curves)) if report.curves else "",
        "cases": [_case(report.rubric, case) for case in report.cases],
        "findings": _findings(report.findings),
        "timings": _timings(report.timings),
        "about": {name: text for name, text in report.about.items() if text},
        "recipe": report.recipe,
        **trust_content(report.trust, report.rubric),
    }
    shown = {**content, "scores": metrics, "answers": tallies}
    return render(
        "run.html",
        title=report.title,
        facts=report.facts,
        notice=report.notice,
        version=version("overread"),
        places=[{"id": name, "title": title} for name, title in SECTIONS.items() if shown[name]],
        **content,
    )


def _tiles(scores: Scores, final: str) -> list[dict[str, Any]]:
    """Return the final predictor's whole scores, with the floors in small print."""
    tiles = []
    for metric in scores.frame["metric"].unique(maintain_order=True):
        rows = {row["predictor"]: row for row in _whole(scores, str(metric))}
        if final not in rows:
            continue
        floors = [
            f"{_words(name)} {_number(row['value'])}"
            for name, row in rows.items()
            if name.startswith("floor:")
        ]
        tiles.append(
            {
                "value": _number(rows[final]["value"]),
                "label": _words(str(metric)),
                "range": _range(rows[final]),
                "floors": floors,
            }
        )
    return tiles


def _whole(scores: Scores, metric: str) -> list[dict[str, Any]]:
    """Return the rows of a metric over all targets and slices, that have a value."""
    frame = scores.frame.filter(
        pl.col("metric") == metric,
        pl.col("target").is_null(),
        pl.col("slice").is_null(),
        pl.col("value").is_not_null(),
    )
    return frame.to_dicts()


def _metrics(scores: Scores, final: str) -> list[dict[str, Any]]:
    found = []
    for metric in scores.frame["metric"].unique(maintain_order=True):
        whole = _whole(scores, str(metric))
        frame = scores.frame.filter(pl.col("metric") == metric)
        drawing = svg_uri(draw_forest(whole, final=final, axis=_words(str(metric))))
        found.append(
            {
                "title": _words(str(metric)),
                "drawing": drawing if whole else "",
                **_score_table(frame, final),
            }
        )
    return found


def _differences(scores: Scores) -> list[dict[str, Any]]:
    """Return a table for each metric; an interval without 0 is marked."""
    found = []
    for metric in scores.frame["metric"].unique(maintain_order=True):
        frame = scores.frame.filter(pl.col("metric") == metric)
        found.append({"title": _words(str(metric)), **_score_table(frame, "")})
    return found


def _score_table(frame: pl.DataFrame, final: str) -> dict[str, Any]:
    """Return predictors by what was scored: all, then targets, then slices."""
    keys = frame.select("target", "slice").unique(maintain_order=True).rows()
    keys.sort(key=lambda key: (key[0] is not None, key[1] is not None))
    cells = {(row["predictor"], row["target"], row["slice"]): row for row in frame.to_dicts()}
    predictors = sorted(
        frame["predictor"].unique(maintain_order=True),
        key=lambda name: (name.startswith("floor:"), name != final),
    )
    return {
        "columns": [_heading(*key) for key in keys],
        "rows": [
            {
                "name": _words(name),
                "floor": name.startswith("floor:"),
                "final": name == final,
                "cells": [_cell(cells.get((name, *key))) for key in keys],
            }
            for name in predictors
        ],
    }


def _cell(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if row is None or row["value"] is None:
        return None
    sure = row["low"] is not None and (row["low"] > 0 or row["high"] < 0)
    return {"value": _number(row["value"]), "range": _range(row), "sure": sure}


def _range(row: Mapping[str, Any]) -> str:
    if row["low"] is None or row["high"] is None:
        return ""
    return f"{_number(row['low'])} to {_number(row['high'])}"


def _heading(target: str | None, part: str | None) -> str:
    if target is None and part is None:
        return "All"
    return ", ".join(_words(word) for word in (target, part) if word)


def _sites(rubric: Rubric, tallies: Sequence[Tally]) -> dict[str, Any] | None:
    """Return weighted log loss by site and target; darker is worse."""
    if not rubric.sites or not tallies:
        return None
    table = [[_site_cell(one.at(site)) for one in tallies] for site in rubric.sites]
    worst = max((cell["loss"] for row in table for cell in row), default=0) or 1
    for row in table:
        for cell in row:
            cell["shade"] = f"{45 * cell['loss'] / worst:.0f}"
    return {
        "columns": [_title(one.target) for one in tallies],
        "rows": [
            {"name": site, "cells": row} for site, row in zip(rubric.sites, table, strict=True)
        ],
    }


def _site_cell(one: Tally) -> dict[str, Any]:
    if not len(one):
        return {"value": "-", "detail": "no units", "loss": 0.0}
    loss = float((one.loss * one.weight).sum() / one.weight.sum())
    worst = int((one.truth.argmax(1) == len(one.target.grades) - 1).sum())
    return {"value": _number(loss), "detail": f"n {len(one)}, worst {worst}", "loss": loss}


def _points(points: pl.DataFrame | None) -> list[dict[str, str]]:
    if points is None or not len(points):
        return []
    found = []
    for locator in points["locator"].unique(maintain_order=True):
        rows = points.filter(pl.col("locator") == locator)
        errors = rows["error_mm"].drop_nulls().to_numpy()
        words = f"{len(errors)} of {len(rows)} true points found"
        if len(errors):
            words += (
                f"; distance mean {errors.mean():.2f} mm, median {np.median(errors):.2f} mm, "
                f"95th percentile {np.percentile(errors, 95):.2f} mm, largest {errors.max():.1f} mm"
            )
        drawing = svg_uri(draw_points(rows))
        found.append({"name": str(locator), "words": f"{words}.", "drawing": drawing})
    return found


def _case(rubric: Rubric, case: Case) -> dict[str, Any]:
    target = rubric.target(case.target)
    colours = grade_colours(target)
    named = list(zip(target.grades, case.answer, colours, strict=True))
    return {
        "unit": case.unit,
        "title": _title(target),
        "loss": case.loss,
        "truth": _graded(target, case.truth),
        "answer": _graded(target, case.answer),
        "parts": [{"share": share, "colour": colour} for _, share, colour in named],
        "spoken": ", ".join(f"{_words(grade)} {share:.0%}" for grade, share, _ in named),
        "images": [
            {
                "title": title,
                "uri": image_uri(image),
                "width": image.shape[1],
                "height": image.shape[0],
            }
            for title, image in case.images
        ],
    }


def _graded(target: Target, probabilities: Sequence[float]) -> dict[str, str]:
    best = int(np.argmax(probabilities))
    return {"grade": _words(target.grades[best]), "colour": grade_colours(target)[best]}


def _findings(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return findings by code, the most serious first."""
    by_code: dict[tuple[str, str], list[Finding]] = {}
    for one in findings:
        by_code.setdefault((one.severity, one.code), []).append(one)
    order = {"refuse": 0, "repaired": 1, "note": 2}
    return [
        {
            "code": code,
            "severity": "refused" if severity == "refuse" else severity,
            "count": len(ones),
            "studies": len({one.study for one in ones if one.study}),
            "example": ones[0].message,
        }
        for (severity, code), ones in sorted(
            by_code.items(), key=lambda item: (order[item[0][0]], -len(item[1]))
        )
    ]


def _timings(timings: pl.DataFrame | None) -> list[dict[str, Any]]:
    if timings is None or not len(timings):
        return []
    rows = timings.group_by("stage", maintain_order=True).agg(
        pl.len().alias("steps"), pl.col("seconds").sum(), pl.col("peak_mb").max()
    )
    most = max(float(rows["seconds"].max() or 0), 1e-9)  # type: ignore[arg-type]
    return [
        {
            "stage": _words(row["stage"]),
            "steps": row["steps"],
            "time": _duration(row["seconds"]),
            "share": row["seconds"] / most,
            "memory": f"{row['peak_mb']:.0f} MiB" if row["peak_mb"] else "",
        }
        for row in rows.to_dicts()
    ]


def _duration(seconds: float) -> str:
    """Return a time as people say it.

    Example:
        >>> _duration(5.04), _duration(125), _duration(7260)
        ('5.0 s', '2 min 5 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if abs(value) < 1 else f"{value:.3f}"


def _words(name: str) -> str:
    return name.replace("_", " ").replace(":", ": ")


def _title(target: Target) -> str:
    return target.title or _words(target.name).capitalize()
