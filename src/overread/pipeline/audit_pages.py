"""The result of an audit, written where a user wants it, with pictures where there are images."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from overread.auditing import Review, Suspicion
from overread.imaging import DecodeError, decode, percentiles, read_studies, stretch
from overread.reporting import Marked, audit_page

__all__ = ["thumbnails", "write_review"]

PERCENTILE = (0.5, 99.5)


def write_review(
    review: Review,
    path: Path,
    *,
    title: str,
    picture: Callable[[Suspicion], Sequence[Marked]] | None = None,
) -> Path:
    """Write a review as .json, .csv or .html and return its place."""
    if path.suffix == ".json":
        path.write_text(json.dumps(review.to_json(), indent=1), encoding="utf-8")
    elif path.suffix == ".csv":
        review.to_frame().write_csv(path)
    else:
        path.write_text(audit_page(review, title=title, picture=picture), encoding="utf-8")
    return path


def thumbnails(images: Path) -> Callable[[Suspicion], Sequence[Marked]]:
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
