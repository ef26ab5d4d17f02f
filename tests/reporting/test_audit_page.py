"""The page of an audit: what is refused on top, suspicions by kind, pictures where there are."""

import numpy as np
import polars as pl

from overread.auditing import Review, Suspicion
from overread.reporting import Marked, audit_page

POINT = Suspicion("point", "review", 9.0, "moved <b>", "s1", "canal", "L1/L2", {"x": 3.0, "y": 4.0})
LEAK = Suspicion("leak", "refuse", 50.0, "saw the labels")


def _page(*ones: Suspicion, **more) -> str:
    return audit_page(Review.of(ones, {"points": "all"}, more.pop("scores", {})), title="A", **more)


def test_a_refusal_stands_on_top() -> None:
    """Before any table; without one the note is absent."""
    page = _page(POINT, LEAK)

    assert page.index("Refused.") < page.index("<table>")
    assert "Refused." not in _page(POINT)


def test_reasons_are_escaped_and_ranked() -> None:
    """What came from tables cannot become markup."""
    page = _page(POINT)

    assert "moved &lt;b&gt;" in page
    assert "moved <b>" not in page


def test_nothing_suspicious_is_said() -> None:
    """An empty review still tells what was checked."""
    page = _page()

    assert "Nothing suspicious was found." in page
    assert "points" in page


def test_a_picture_shows_both_places() -> None:
    """The callback is asked for the suspicion; the page needs no other file."""
    asked = []

    def picture(one: Suspicion):
        asked.append(one.study)
        image = np.full((30, 40), 90, np.uint8)
        return [Marked("slice 4", image, {"marked": (3, 4), "expected": (20, 9)})]

    page = _page(POINT, picture=picture)

    assert asked == ["s1"]
    assert page.count("<circle") == 2
    assert "data:image/jpeg;base64," in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_noise_lists_only_what_differs() -> None:
    """The diagonal of the confident joint is no news."""
    noise = pl.DataFrame(
        {
            "target": ["canal", "canal"],
            "labelled": ["mild", "mild"],
            "confident": ["mild", "severe"],
            "count": [90, 3],
            "share": [0.968, 0.032],
        }
    )
    page = _page(POINT, scores={"noise": noise})

    assert "3.2%" in page
    assert "96.8%" not in page
