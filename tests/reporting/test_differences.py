"""Differences of predictors on the page of a run."""

import re
from dataclasses import replace

import polars as pl
from graded import RUBRIC, predictions
from test_run_page import labels_like

from overread.records import Predictions, Scores
from overread.reporting import RunReport, run_page


def table(rows):
    """Scores of (predictor, target, value, low, high)."""
    full = [(who, "log_loss", target, None, *numbers, 60) for who, target, *numbers in rows]
    return Scores(pl.DataFrame(full, schema=list(Scores.schema), orient="row"))


def page(differences):
    """The page of a run with some differences."""
    answers = Predictions.concat([predictions(str(n), seed=n) for n in range(4)])
    scores = table([("final", None, 0.6, 0.5, 0.7)])
    report = RunReport("A run", RUBRIC, "final", scores, labels_like(answers), answers)
    return run_page(replace(report, differences=differences))


def test_an_interval_without_zero_is_bold() -> None:
    """Each pair has a row; what may be chance is not bold; no predictor is called final."""
    found = page(
        table(
            [
                ("stack - mean", None, -0.02, -0.03, -0.01),
                ("stack - mean", "canal", 0.01, -0.02, 0.04),
            ]
        )
    )
    section = re.findall(r'id="differences">.*?</section>', found, re.S)[0]
    cells = re.findall(r'<td class="number">(.*?)</td>', section, re.S)

    assert "<th>stack - mean</th>" in section
    assert re.match(r"<b>-0\.020*</b>", cells[0])
    assert "<b>" not in cells[1]
    assert 'href="#differences"' in found


def test_without_pairs_there_is_no_section() -> None:
    """Nor a link to it."""
    assert "#differences" not in page(Scores.empty())
