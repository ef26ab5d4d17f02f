"""The page of graded studies: complete, self-contained, safe."""

import base64
import itertools
import re
from html.parser import HTMLParser

import pytest
from graded import RUBRIC, SITES, graded, grades

from overread.inference import Grades
from overread.records import Target
from overread.reporting import study_page
from overread.reporting.colours import grade_colours, ink_on
from overread.reporting.study_page import _spread

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Balanced(HTMLParser):
    """Check that tags are closed in order, and collect text and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("href", "src"):
                self.links.append(value)
            if name == "id":
                self.ids.add(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_page_is_whole_and_alone():
    """Tags are balanced, all images are inside, links lead to what is there."""
    page = Balanced(study_page(grades()))

    assert page.open == []
    assert all(link.startswith(("data:image/", "#")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    assert "http" not in "".join(link for link in page.links if not link.startswith("data:"))


def test_page_says_what_matters():
    """Grades, confidence, doubts, identifiers and the bundle are in the text."""
    text = " ".join(Balanced(study_page(grades())).text)

    for words in ("Canal stenosis", "Left foramen", "not sure of L5/S1", "1.2.7", "a" * 64, *SITES):
        assert words in text


def test_refused_study_has_its_reason_escaped():
    """Why a study was refused is told, and markup in it is text."""
    page = study_page(grades())

    assert "series 1 &lt;b&gt;cannot&lt;/b&gt; be decoded" in page
    assert "<b>cannot</b>" not in page


def test_index_only_with_several_studies():
    """A single study has no index; several have one row each, the worst grade first."""
    single = study_page(Grades(RUBRIC, "abc", "tiny", (graded("7"),)))

    assert "Grades of study 7" in single
    assert 'href="#study-1"' not in single
    assert study_page(grades()).count('href="#study-') == 3


def test_pictures_are_real_images():
    """Each data URI decodes to a JPEG."""
    uris = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", study_page(grades()))

    assert len(uris) == 4
    assert all(base64.b64decode(uri)[:2] == b"\xff\xd8" for uri in uris)


@pytest.mark.parametrize("places", [[], [3.0], [1.0, 1.0, 1.0], [0.0, 5.0, 40.0, 41.0]])
def test_labels_do_not_overlap(places):
    """Labels keep their order and at least the gap."""
    moved = _spread(places, gap=10)

    assert len(places) == len(moved)
    assert all(b - a >= 10 - 1e-9 for a, b in itertools.pairwise(moved))


def test_worse_grades_are_darker():
    """Ordered colours fall in luminance, and text on them can be read."""
    for count in (2, 3, 5):
        target = Target("t", tuple("abcde"[:count]), (1.0,) * count)
        colours = grade_colours(target)
        light = [sum(int(one[i : i + 2], 16) for i in (1, 3, 5)) for one in colours]
        assert sorted(light, reverse=True) == light
        assert len(set(colours)) == count
    assert ink_on("#ffffff") != ink_on("#000000")
