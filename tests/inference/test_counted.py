"""Counted points: targets, loss, and the way from maps back to millimetres."""

import numpy as np
import torch

from overread.imaging import CountSpec, render_heatmaps
from overread.inference.counted import (
    counted_loss,
    counted_points,
    counted_targets,
    turn_over,
)
from overread.inference.locator import UPSIDE_DOWN
from overread.records import Keypoints, Planes

NAMES = ("disc1", "disc2", "disc3", "disc4", "disc5")
PLANES = Planes.of_images([(64, 48)], (2.0, 1.0))


def truth():
    middles = np.array([[0.0, 24.0, -100.0 + 20.0 * k] for k in range(4)])
    side = np.array([0.0, 5.0, 0.0])
    ends = np.stack([middles - side, middles + side], 1)
    return Keypoints(NAMES[:4], middles, np.ones(4), ends=ends)


def perfect():
    points, present = counted_targets(PLANES, truth(), NAMES)
    cells = torch.from_numpy(points).reshape(1, 3, 5, 2)
    maps = render_heatmaps(
        cells, (64, 48), radius=4, valid=torch.from_numpy(present).reshape(1, 3, 5)
    )
    chance = maps.amax(2).clamp(1e-4, 1 - 1e-4)
    first = maps[:, 0, 0].clamp_min(1e-6).log()
    return torch.cat([chance.logit(), first[:, None]], 1), points, present


def test_targets_lie_where_the_truth_lies():
    """A member's middle and ends are projected to pixels; members that are not there are absent."""
    points, present = counted_targets(PLANES, truth(), NAMES)

    assert points[0, 0].tolist() == [24.0, 50.0]
    assert points[0, 5].tolist() == [19.0, 50.0]
    assert points[0, 10].tolist() == [29.0, 50.0]
    assert present[0].reshape(3, 5).all(0).tolist() == [True, True, True, True, False]


def test_perfect_maps_give_back_the_points():
    """What was rendered is found again: names from the lowest, middles and ends in mm."""
    logits, _, _ = perfect()

    found, ends = counted_points(PLANES, logits, NAMES, CountSpec(), pixels=64)

    assert found.names == NAMES[:4]
    assert np.abs(found.points - truth().points).max() < 0.5
    assert np.abs(ends - truth().ends).max() < 0.8
    assert (found.confidence > 0.8).all()


def test_perfect_maps_cost_less_than_others():
    """The loss is small for the maps that it asks for, and grows when they are moved."""
    logits, points, present = perfect()
    batch = {"points": torch.from_numpy(points), "present": torch.from_numpy(present)}

    right = counted_loss(logits, batch, stride=1, radius=4, over=None)
    wrong = counted_loss(logits.roll(6, -2), batch, stride=1, radius=4, over=None)

    assert float(right["total"]) < 0.2 * float(wrong["total"])


def test_turned_images_teach_their_orientation_only():
    """Maps of an image that was turned upside down cost nothing; its orientation does."""
    logits, points, present = perfect()
    batch = {
        "points": torch.from_numpy(points),
        "present": torch.from_numpy(present),
        UPSIDE_DOWN: torch.tensor([True]),
    }

    sure = counted_loss(logits, batch, stride=1, radius=4, over=torch.tensor([[0.0, 9.0]]))
    fooled = counted_loss(logits, batch, stride=1, radius=4, over=torch.tensor([[9.0, 0.0]]))

    assert float(sure["maps"]) == 0
    assert float(sure["first"]) == 0
    assert float(fooled["total"]) > 5
    assert float(sure["total"]) < 0.1


def test_turning_over_is_noted():
    """An image that is turned over is stored so, and the others stay."""
    image = torch.arange(12.0).reshape(2, 1, 3, 2)
    batch = {"image": image}

    turn_over(batch, 1.0, torch.Generator().manual_seed(1))

    assert batch[UPSIDE_DOWN].tolist() == [True, True]
    assert torch.equal(batch["image"], image.flip(-2))
