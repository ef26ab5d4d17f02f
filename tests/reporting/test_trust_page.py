"""The part of a run's page about trust: what was asked is there, what was not is left out."""

from xml.etree import ElementTree as ET

import polars as pl
import pytest
from graded import RUBRIC
from test_study_page import Balanced
from trust_tables import costs, effects, labelled, readers, trust

from overread.records import Scores
from overread.reporting import RunReport, TrustReport, run_page
from overread.reporting.trust_figures import (
    draw_costs,
    draw_coverage,
    draw_effects,
    draw_readers,
    draw_referral,
)
from overread.reporting.trust_page import trust_content

FULL = trust()
PARTS = ("sets", "referral", "costs", "effects", "readers")


def page(found: TrustReport | None) -> str:
    labels, answers = labelled(5)
    return run_page(
        RunReport("A run", RUBRIC, "final", Scores.empty(), labels, answers, trust=found)
    )


def test_everything_has_its_place() -> None:
    """Each part has a section with its drawing, and the page stays balanced."""
    text = page(FULL)

    for part in PARTS:
        assert f'<section class="card" id="{part}">' in text
        assert f'href="#{part}"' in text
    assert Balanced(text).open == []
    assert "A paper &lt;2023&gt;" in text
    assert "Another paper" not in text
    assert "asked to hold the true grade 80%" in text


@pytest.mark.parametrize("found", [None, TrustReport()])
def test_nothing_was_asked(found: TrustReport | None) -> None:
    """A run without questions about trust has none of the sections."""
    assert not any(trust_content(found, RUBRIC).values())
    assert 'id="sets"' not in page(found)


def test_table_of_sets() -> None:
    """Rows tell condition and true grade with coverage, both intervals and size."""
    rows = trust_content(FULL, RUBRIC)["sets"]["rows"]
    table = FULL.coverage
    assert table is not None
    severe = table.row(
        by_predicate=(pl.col("condition") == "foramen") & (pl.col("grade") == "severe"), named=True
    )
    [shown] = [one for one in rows if (one["condition"], one["grade"]) == ("Foramen", "Severe")]

    assert len(rows) == 8
    assert shown["n"] == severe["n"]
    assert shown["coverage"] == f"{100 * severe['coverage']:.1f} %"
    assert shown["range"].startswith(f"{100 * severe['low']:.1f} % to ")
    assert shown["size"] == f"{severe['size']:.2f}"


def test_referral_tells_the_risk_of_the_rest() -> None:
    """A fifth referred leaves fewer wrong answers than nobody referred."""
    rows = trust_content(FULL, RUBRIC)["referral"]["rows"]

    assert {one["by"] for one in rows} == {"confidence", "entropy", "set"}
    for one in rows:
        if one["by"] == "confidence":
            assert float(one["fifth"].split()[0]) < float(one["risk"].split()[0])


DRAWINGS = {
    "coverage": lambda: draw_coverage(FULL.coverage, RUBRIC, 0.8),
    "referral": lambda: draw_referral(FULL.curves, FULL.areas),
    "costs": lambda: draw_costs(costs()),
    "effects": lambda: draw_effects(effects(), "log_loss", "lower"),
    "readers": lambda: draw_readers(readers()[:1]),
}


@pytest.mark.parametrize("name", sorted(DRAWINGS))
def test_drawings_are_made(name: str) -> None:
    """Each drawing is well-formed, and the same twice."""
    first = DRAWINGS[name]()
    root = ET.fromstring(first)  # noqa: S314 - our own drawing

    assert float(root.attrib["width"].removesuffix("pt")) > 300
    assert first == DRAWINGS[name]()
