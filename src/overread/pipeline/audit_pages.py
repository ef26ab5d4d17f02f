"""The result of an audit, written where a user wants it, with pictures where there are images."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from overread.auditing import Review, Suspicion
from overread.imaging import DecodeError, decode, percentiles, read_studies, stretch
from overread.inference import StudyCuts, load_cuts
from overread.pipeline.parts import part_folder
from overread.pipeline.plan import graph_of
from overread.pipeline.recipe import Recipe
from overread.pipeline.stages.report import middle_slice
from overread.pipeline.store import open_store
from overread.records import Labels, Rubric
from overread.reporting import Marked, audit_page

__all__ = ["crops_of_run", "either", "show_crops", "thumbnails", "write_review"]

PERCENTILE = (0.5, 99.5)
POINTS = ("point", "chain")
Show = Callable[[Suspicion], Sequence[Marked]]


def write_review(
    review: Review,
    path: Path,
    *,
    title: str,
    picture: Show | None = None,
) -> Path:
    """Write a review as .json, .csv or .html and return its place."""
    if path.suffix == ".json":
        path.write_text(json.dumps(review.to_json(), indent=1), encoding="utf-8")
    elif path.suffix == ".csv":
        review.to_frame().write_csv(path)
    else:
        path.write_text(audit_page(review, title=title, picture=picture), encoding="utf-8")
    return path


def either(*shows: Show) -> Show:
    """Return a callback that gives what the first of several has a picture for."""

    def show(one: Suspicion) -> Sequence[Marked]:
        return next((found for each in shows if (found := each(one))), ())

    return show


def crops_of_run(recipe: Recipe, data: Path | None, store: Path | str, labels: Labels) -> Show:
    """Return a callback that shows what the networks of a finished run saw of labelled units."""
    graph, shelf = graph_of(recipe, data, store), open_store(store)
    views = {
        role.removeprefix("view."): shelf.bring(step)
        for role, step in graph.report.inputs.items()
        if role.startswith("view.") and shelf.entry(step) is not None
    }
    studies = dict(labels.frame.select("unit", "study").iter_rows())
    return show_crops(views, graph.rubric, studies)


def show_crops(views: Mapping[str, Path], rubric: Rubric, studies: Mapping[str, str]) -> Show:
    """Return a callback that shows the crops of a unit, or of all units of a study.

    Args:
        views: {name: folder with the crops of each study}; of a whole study the first view that
            has crops is shown.
        rubric: names units.
        studies: {unit: its study}; of slices and photographs a suspicion names the unit.
    """

    def show(one: Suspicion) -> Sequence[Marked]:
        if one.study is None or one.kind in POINTS:
            return ()
        unit = rubric.unit_id(one.study, one.site)
        study = studies.get(unit, one.study)
        cuts = {
            name: load_cuts(part_folder(folder, study))
            for name, folder in views.items()
            if part_folder(folder, study).is_dir()
        }
        if unit in studies:
            return _marked([(name.replace("_", " "), view, unit) for name, view in cuts.items()])
        return _marked(
            [
                (site or "", view, each)
                for view in list(cuts.values())[:1]
                for each, site in zip(view.units, view.sites, strict=True)
            ]
        )

    return show


def _marked(crops: Sequence[tuple[str, StudyCuts, str]]) -> list[Marked]:
    images = [
        (title, middle_slice(view.of(view.units.index(unit))))
        for title, view, unit in crops
        if unit in view.units
    ]
    return [Marked(title, image) for title, image in images if image is not None]


def thumbnails(images: Path) -> Show:
    """Return a callback that shows the slice of a suspicious point, with the point on it.

    Args:
        images: folder with {study}/{series}/{slice}.dcm; what is not there gives no picture.
    """

    def show(one: Suspicion) -> Sequence[Marked]:
        if one.study is None or not {"series", "slice", "x", "y"} <= set(one.place):
            return ()
        file = images / one.study / str(one.place["series"]) / f"{one.place['slice']:.0f}.dcm"
        image = _decoded(file)
        if image is None:
            return ()
        points = {"marked": (one.place["x"], one.place["y"])}
        if "expected_x" in one.place:
            points["expected"] = (one.place["expected_x"], one.place["expected_y"])
        return (Marked(f"{one.site or ''} slice {one.place['slice']:.0f}".strip(), image, points),)

    return show


def _decoded(file: Path) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]] | None:
    if not file.is_file():
        return None
    stacks = [
        stack
        for study in read_studies(file).studies
        for series in study.series
        for stack in series.stacks
    ]
    try:
        grey = decode(stacks[0]).array[0] if stacks else None
    except DecodeError:
        return None
    if grey is None or grey.ndim != 2:
        return None
    return np.asarray(stretch(grey, *percentiles(grey, PERCENTILE)) * 255).astype(np.uint8)
