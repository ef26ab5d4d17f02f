"""Sets of grades on the page of a study: shown where they were made, bold where they tell more."""

from dataclasses import replace

import numpy as np
import polars as pl
from graded import graded
from graded import grades as batch
from test_study_page import Balanced

from overread.records import GradeSets
from overread.reporting import study_page


def with_sets(study):
    """A study whose odd answers stand alone in their sets, and whose even ones have company."""
    frame = study.predictions.frame
    best = np.array(frame["probabilities"].to_list()).argmax(axis=1)
    holds = np.eye(3, dtype=bool)[best]
    holds[::2, 1:] = True
    return replace(study, sets=GradeSets(frame.with_columns(holds=pl.Series(holds.tolist()))))


def test_sets_stand_below_answers():
    """Each answer has its set; one that holds other grades than the answer is bold."""
    study = with_sets(graded("7", seed=1))
    page = study_page(replace(batch(), studies=(study,), coverage=0.9))

    assert Balanced(page).open == []
    assert "hold the true grade 90% of the time" in page
    assert page.count(" or severe</b>") == 3
    assert '<div class="small soft" style="margin-top:3px">' in page


def test_no_sets_no_words():
    """Without sets nothing is said of them."""
    assert "not ruled out" not in study_page(batch())
