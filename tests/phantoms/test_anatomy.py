"""The spine's geometry follows the severities."""

from dataclasses import replace

import numpy as np

from overread.phantoms.anatomy import Spine, build_spine
from overread.phantoms.severity import draw_severity


def _spine(depth: np.ndarray, seed: int = 1) -> Spine:
    severity = draw_severity(np.random.default_rng(0))
    return build_spine(np.random.default_rng(seed), replace(severity, depth=depth))


def _areas(spine: Spine) -> list[float]:
    half = [spine.canal.sac_half[spine.canal.index(level)] for level in range(5)]
    return [float((left + right) * deep) for left, right, deep in half]


def test_severe_canal_leaves_less_than_half_the_sac():
    """Sac area at a level falls with its depth, and the other levels keep theirs."""
    well = np.full((5, 5), 0.05)
    ill = well.copy()
    ill[0, 2] = 0.9
    before, after = _areas(_spine(well)), _areas(_spine(ill))

    assert after[2] < 0.4 * before[2]
    assert np.allclose(before[0], after[0], rtol=0.02)


def test_narrowing_stays_on_its_side():
    """A narrow left foramen or recess leaves the right ones open."""
    depth = np.full((5, 5), 0.05)
    depth[1, 3] = depth[3, 3] = 0.9
    level = _spine(depth).levels[3]

    assert level.foramen[0] < 0.4 < level.foramen[1] - 0.5
    assert level.recess[0] < 0.4 < level.recess[1] - 0.5


def test_points_lie_where_the_body_has_them():
    """Left is +x, levels go down, canal behind disc, foramina outside the recesses."""
    for seed in range(5):
        spine = _spine(np.full((5, 5), 0.2), seed)
        heights = [spine.disc_centre(level)[2] for level in range(5)]

        assert heights == sorted(heights, reverse=True)
        for level in range(5):
            axis = spine.canal_centre(level)[0]
            assert spine.canal_centre(level)[1] > spine.disc_centre(level)[1] + 10
            assert spine.foramen(level, 1)[0] > spine.recess(level, 1)[0] > axis
            assert spine.foramen(level, -1)[0] < spine.recess(level, -1)[0] < axis


def test_axes_are_orthonormal_and_right_handed():
    """Every frame is a rotation; left x back = up."""
    spine = _spine(np.full((5, 5), 0.2))
    for part in (*spine.discs, *spine.vertebrae):
        axes = part.frame.axes

        assert np.allclose(axes @ axes.T, np.eye(3), atol=1e-9)
        assert np.allclose(np.cross(axes[0], axes[1]), axes[2], atol=1e-9)
