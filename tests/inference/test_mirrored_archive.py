"""From files to grades, a mirrored patient gets exactly the swapped answers."""

import numpy as np
import pytest
from tiny_recipe import VIEWS, bundle

from overread.datasets import rsna2024_lumbar
from overread.inference import Bundle, grade, locator_network
from overread.inference.member import member_network
from overread.phantoms import forge_lumbar

RUBRIC = rsna2024_lumbar.rubric(rsna2024_lumbar.Spec())


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Grades of a forged study, and of its mirror image, by the same untrained bundle."""
    whole = bundle(folds=1, final="both", ensembles={"both": {"use": "mean", "of": MEMBERS}})
    recipe = whole.recipe
    lumbar = Bundle(
        recipe,
        RUBRIC,
        {
            name: {0: locator_network(spec, seed=0).state_dict()}
            for name, spec in recipe.locators.items()
        },
        {
            name: {0: member_network(spec, VIEWS, RUBRIC, seed=0).state_dict()}
            for name, spec in recipe.members.items()
        },
    )
    found = []
    for mirrored in (False, True):
        folder = tmp_path_factory.mktemp("mirrored" if mirrored else "straight")
        forge_lumbar(folder, num_studies=1, seed=11, mirrored=mirrored)
        found.append(grade(lumbar, folder).studies[0])
    return found


MEMBERS = ["wide", "sided"]


@pytest.mark.slow
def test_points_are_mirrored(pair):
    """Points found in the mirrored patient are the mirrored points."""
    here, there = pair

    for name, points in here.keypoints.items():
        other = there.keypoints[name]
        assert points.names == other.names
        np.testing.assert_allclose(points.points * [-1, 1, 1], other.points, atol=1e-2)


@pytest.mark.slow
def test_grades_are_swapped(pair):
    """Each answer about one side is the mirrored patient's answer about the other."""
    here, there = pair

    assert here.refused is None
    assert len(here.predictions) > 0
    for target in RUBRIC.names:
        units, answers = here.predictions.array(target)
        others, swapped = there.predictions.array(RUBRIC.partner(target))
        assert units == others
        np.testing.assert_allclose(answers, swapped, atol=1e-5)
