"""The page of scans that are graded slice by slice."""

import re

import numpy as np
import polars as pl

from overread.inference import GradedStudy, Grades, Picture
from overread.records import Derived, Finding, Predictions, Rubric, Target
from overread.reporting import scan_page

BLEEDS = ("epidural", "subdural")
LEARNT = Rubric(
    "heads",
    "slice",
    tuple(
        Target(name, ("absent", "present"), (1.0, 1.0), "binary", title=f"{name} bleeding")
        for name in BLEEDS
    ),
    derived=(Derived("any", BLEEDS),),
)


def graded(name: str, chances: dict[str, tuple[float, float]]) -> GradedStudy:
    """A scan with the chances of both bleeds at each site."""
    rows = [
        {
            "unit": f"{name}-{site}",
            "study": name,
            "subject": "person-1",
            "site": site,
            "target": target,
            "probabilities": [1 - chance, chance],
            "fold": None,
            "predictor": "final",
            "role": "new",
        }
        for site, each in chances.items()
        for target, chance in zip(BLEEDS, each, strict=True)
    ]
    pictures = tuple(
        Picture(window, np.full((8, 6), 99, np.uint8), f"{name}-{site}", site, kind="slice")
        for site in chances
        for window in ("brain", "subdural")
    )
    note = Finding("lone_slice", "note", "one slice <only>", study=name)
    said = Predictions(pl.DataFrame(rows, schema=Predictions.schema))
    return GradedStudy(name, name, "person-1", None, (note,), predictions=said, pictures=pictures)


def page(*studies: GradedStudy) -> str:
    """The page of some scans."""
    return scan_page(Grades(LEARNT, "abc", "heads", studies))


SCAN = {"1/0010": (0.7, 0.2), "1/0002": (0.01, 0.3), "1/0001": (0.02, 0.04)}


def test_slices_stand_in_order_with_both_windows() -> None:
    """By their place, not by their name; each with the brain and the subdural window."""
    cards = re.findall(r'<figure class="slice".*?</figure>', page(graded("a", SCAN)), re.S)
    titles = [re.findall(r"<b>(Slice \d+)</b>", card)[0] for card in cards]

    assert titles == ["Slice 1", "Slice 2", "Slice 10"]
    assert [card.count("data:image/jpeg") for card in cards] == [2, 2, 2]
    assert ["<span>brain</span>" in card and "<span>subdural</span>" in card for card in cards] == [
        True
    ] * 3
    assert "Epidural bleeding 70%" in cards[2]
    assert "no finding above 50%" in cards[0]


def test_chances_along_the_scan() -> None:
    """A row for each question, what is derived first; a cell for each slice leads to it."""
    table = re.findall(r'<table class="along">.*?</table>', page(graded("a", SCAN)), re.S)[0]
    rows = re.findall(r"<tr><th>(.*?)</th>(.*?)</tr>", table, re.S)
    cells = [re.findall(r">(\d*)</a>", cells) for _, cells in rows]

    assert [title for title, _ in rows] == ["Any", "Epidural bleeding", "Subdural bleeding"]
    assert cells == [["", "30", "70"], ["", "", "70"], ["", "30", "20"]]
    assert 'href="#slice-1-3" title="Slice 10, Any: 70%"' in table


def test_the_likeliest_slice_of_each_finding() -> None:
    """A finding leads to the slice where it is most likely."""
    tiles = re.findall(
        r'<a href="(#slice-1-\d)" style="border-left.*?</a>', page(graded("a", SCAN))
    )

    assert tiles == ["#slice-1-3", "#slice-1-3", "#slice-1-2"]


def test_series_are_told_apart() -> None:
    """With a second series, slices are named with theirs."""
    found = page(graded("a", {"1/0001": (0.1, 0.1), "2/0001": (0.1, 0.1)}))

    assert "Series 2, slice 1" in found


def test_several_scans_have_an_index_and_one_slice_no_table() -> None:
    """A refused scan says why; a scan of one slice has its warning, and no table along it."""
    lone = graded("b", {"1/0001": (0.1, 0.9)})
    refused = GradedStudy("c", "", "", refused="the slices <b>cannot</b> be decoded")
    found = page(lone, refused)

    assert "<h2>Scans</h2>" in found
    assert "one slice &lt;only&gt;" in found
    assert 'class="along"' not in found
    assert "the slices &lt;b&gt;cannot&lt;/b&gt; be decoded" in found
    assert "<script" not in found
