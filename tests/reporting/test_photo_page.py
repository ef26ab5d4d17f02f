"""The page of graded photographs."""

import re

import numpy as np
import polars as pl

from overread.inference import GradedStudy, Grades, Picture
from overread.records import Derived, Finding, Predictions, Rubric, Target
from overread.reporting import photo_page

RUBRIC = Rubric(
    "faces",
    "photo",
    (
        Target("mask", ("worn", "not_worn"), (1.0, 1.0), "nominal", title="Mask"),
        Target("age", ("young", "old"), (1.0, 1.0)),
    ),
    derived=(Derived("class", ("mask", "age"), "joint"),),
)


def graded(name: str, mask: float, age: float) -> GradedStudy:
    """A photograph with the chances of "not_worn" and "old"."""
    rows = [
        {
            "unit": name,
            "study": name,
            "subject": "person-1",
            "site": None,
            "target": target,
            "probabilities": [1 - chance, chance],
            "fold": None,
            "predictor": "final",
            "role": "new",
        }
        for target, chance in (("mask", mask), ("age", age))
    ]
    picture = Picture("face", np.full((8, 6, 3), 99, np.uint8), name, kind="photo")
    said = Predictions(pl.DataFrame(rows, schema=Predictions.schema))
    return GradedStudy(name, name, "person-1", predictions=said, pictures=(picture,))


def page() -> str:
    """The page of two graded photographs, one that was refused and one that is no picture."""
    refused = GradedStudy("torn.jpg", "", "", refused="the picture cannot be decoded")
    note = Finding("image_unreadable", "refuse", "notes.png: not a picture; it is left out")
    studies = (graded("a&b.jpg", 0.95, 0.9), graded("c.jpg", 0.1, 0.55), refused)
    return photo_page(Grades(RUBRIC, "abc", "tiny", studies, (note,)))


def test_each_photograph_has_a_card() -> None:
    """A picture, the answers with their shares, and the number of the class."""
    found = page()
    cards = re.findall(r'<figure class="photo.*?</figure>', found, re.S)

    assert len(cards) == 2
    assert "a&amp;b.jpg" in cards[0]
    assert "data:image/jpeg" in cards[0]
    assert re.search(r"<b>not worn</b>.*95%", cards[0])
    assert "class 3" in cards[0]
    assert "class 1" in cards[1]


def test_doubtful_answers_are_marked() -> None:
    """An answer near even is marked, and so is its photograph; others are not."""
    cards = re.findall(r'<figure class="photo.*?</figure>', page(), re.S)

    assert "doubtful" not in cards[0]
    assert cards[1].startswith('<figure class="photo doubtful')
    assert "55% ?" in cards[1]


def test_what_was_not_graded_is_told() -> None:
    """Refused photographs and files that are no pictures stand on the page, with the reason."""
    found = page()

    assert "the picture cannot be decoded" in found
    assert "notes.png: not a picture" in found
    assert "Not graded <b>1</b>" in found


def test_the_page_stands_alone() -> None:
    """Nothing is fetched: pictures are inside, and there is no script."""
    found = page()

    assert "<script" not in found
    assert re.findall(r'(?:src|href)="(?!data:|#)', found) == []


def test_counts_add_up() -> None:
    """The table of grades counts each photograph once."""
    found = page()

    assert "not worn <b>1</b>" in found
    assert "worn <b>1</b>" in found
    assert "occur" in found
