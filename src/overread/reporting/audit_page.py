"""One page about an audit: what is refused, what to look at first and why, with pictures.

Takes a `Review`; how suspicions arise is not known here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.auditing import Review, Suspicion
from overread.reporting.pages import image_uri, render

__all__ = ["Marked", "audit_page"]

MOST_ROWS = 100
MOST_PICTURES = 24
# Width of a whole slice with its points, and of a crop, px of the page.
WHOLE, CROP = 260, 112
COLOURS = {"marked": "#ff9d6e", "expected": "#7ad7a0"}
TITLES = {
    "leak": "Leaks",
    "split": "Folds",
    "duplicate": "Copies",
    "level_shift": "Levels",
    "side_swap": "Sides",
    "label": "Labels",
    "chain": "Chains of points",
    "point": "Points",
}


@dataclass(frozen=True, eq=False)
class Marked:
    """A picture with points.

    Attributes:
        title: below it.
        image: (rows, columns) uint8.
        points: {"marked" or "expected": (x, y) px}.
    """

    title: str
    image: NDArray[np.uint8]
    points: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def audit_page(
    review: Review,
    *,
    title: str,
    picture: Callable[[Suspicion], Sequence[Marked]] | None = None,
) -> str:
    """Return the page; of each kind the first hundred are shown, the table has all.

    Args:
        review: ranked.
        title: of the page.
        picture: called for the first suspicions of each kind; () where there is no image.
    """
    groups = [_group(review, kind, picture) for kind in review.counts()]
    groups.sort(key=lambda group: list(TITLES).index(group["kind"]) if group["known"] else 99)
    return render(
        "audit.html",
        title=title,
        version=version("overread"),
        refused=[one.reason for one in review.refused],
        checks=review.checks,
        num_studies=len(review.studies),
        noise=_noise(review),
        groups=groups,
    )


def _group(
    review: Review, kind: str, picture: Callable[[Suspicion], Sequence[Marked]] | None
) -> dict[str, Any]:
    ones = [one for one in review.suspicions if one.kind == kind]
    largest = max((one.evidence for one in ones), default=0.0) or 1.0
    return {
        "kind": kind,
        "known": kind in TITLES,
        "title": TITLES.get(kind, kind.replace("_", " ").capitalize()),
        "count": len(ones),
        "more": max(0, len(ones) - MOST_ROWS),
        "rows": [
            {
                "rank": review.suspicions.index(one) + 1,
                "verdict": one.verdict,
                "study": one.study or "",
                "where": ", ".join(
                    part.replace("_", " ") for part in (one.target, one.site) if part
                ),
                "evidence": f"{one.evidence:.1f}",
                "share": f"{100 * max(one.evidence, 0) / largest:.0f}",
                "reason": one.reason,
                "pictures": [_drawn(shown) for shown in picture(one)]
                if picture is not None and place < MOST_PICTURES
                else [],
            }
            for place, one in enumerate(ones[:MOST_ROWS])
        ],
    }


def _drawn(shown: Marked) -> dict[str, Any]:
    rows, columns = shown.image.shape
    return {
        "title": shown.title,
        "uri": image_uri(shown.image),
        "width": columns,
        "height": rows,
        "shown": WHOLE if shown.points else CROP,
        "radius": max(rows, columns) / 45,
        "points": [
            {"name": name, "x": f"{x:.1f}", "y": f"{y:.1f}", "colour": COLOURS.get(name, "#fff")}
            for name, (x, y) in shown.points.items()
        ],
    }


def _noise(review: Review) -> list[dict[str, str]]:
    """Return the confident joint where labels and confident grades differ, the largest first."""
    frame = review.scores.get("noise")
    if frame is None or not len(frame):
        return []
    rows = [row for row in frame.to_dicts() if row["labelled"] != row["confident"] and row["count"]]
    rows.sort(key=lambda row: -row["share"])
    return [
        {
            "target": row["target"].replace("_", " "),
            "labelled": row["labelled"].replace("_", " "),
            "confident": row["confident"].replace("_", " "),
            "count": str(row["count"]),
            "share": f"{row['share']:.1%}",
        }
        for row in rows[:12]
    ]
