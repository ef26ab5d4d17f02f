"""The copula of severities: its marginals, its correlations, its thirds."""

import numpy as np
import polars as pl
import pytest

from overread.phantoms.rsna_layout import TARGETS
from overread.phantoms.severity import GRADES, class_shares, draw_severity


@pytest.fixture(scope="module")
def crowd() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return latent, grade and depth of 2,000 people."""
    drawn = [draw_severity(np.random.default_rng([9, i])) for i in range(2000)]
    return tuple(
        np.stack([getattr(one, name) for one in drawn]) for name in ("latent", "grade", "depth")
    )


def test_class_shares_are_those_of_the_model(crowd):
    """Each grade is as frequent as the model says, within four standard errors."""
    _, grade, _ = crowd
    found = np.stack([(grade == g).mean(0) for g in range(3)], axis=-1)
    wanted = class_shares()
    error = np.sqrt(wanted * (1 - wanted) / len(grade))

    assert np.all(np.abs(found - wanted) < 4 * error + 0.001)


def test_class_shares_are_those_of_the_real_table(real_data):
    """The model's shares are within three points of the public label table."""
    table = pl.read_csv(real_data / "lumbar_rsna2024" / "labels" / "train.csv")
    real = np.array(
        [[(table[name].drop_nulls() == grade).mean() for grade in GRADES] for name in TARGETS]
    ).reshape(5, 5, 3)

    assert np.abs(real - class_shares()).max() < 0.03


def test_neighbours_sides_and_conditions_go_together(crowd):
    """Correlations at a level, across sides and across levels are those of the table."""
    latent, _, _ = crowd
    flat = np.corrcoef(latent.reshape(len(latent), 25).T).reshape(5, 5, 5, 5)

    assert abs(flat[3, 3, 4, 3] - 0.68) < 0.06  # recess, left and right, one level
    assert abs(flat[0, 2, 0, 3] - 0.66) < 0.06  # canal, neighbouring levels
    assert abs(flat[0, 3, 3, 3] - 0.74) < 0.06  # canal and recess, one level
    assert flat[0, 0, 0, 4] < 0.35


def test_depth_keeps_to_the_third_of_its_grade(crowd):
    """A normal depth is below 1/3, a severe one above 2/3, and the thirds are filled."""
    _, grade, depth = crowd

    assert np.all(grade == np.minimum((depth * 3).astype(int), 2))
    assert depth[grade == 1].std() > 0.08


def test_upper_recesses_are_ungraded_where_the_axial_series_starts_below():
    """The grades that lack an axial slice are missing on both sides, and only there."""
    drawn = [draw_severity(np.random.default_rng([4, i])) for i in range(300)]
    late = [one for one in drawn if one.first_axial_level > 0]

    assert 5 < len(late) < 60
    assert all(one.missing[3:, : one.first_axial_level].all() for one in late)
    assert np.mean([one.missing[:, 2:].mean() for one in drawn]) < 0.01
