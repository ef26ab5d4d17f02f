"""Losses of heat maps and points."""

import pytest
import torch

from overread.learning import coordinate_loss, map_focal_loss, map_mse_loss, soft_argmax


def maps(seed: int) -> torch.Tensor:
    return torch.randn(2, 3, 6, 8, generator=torch.Generator().manual_seed(seed))


def test_focal_without_focus_is_cross_entropy() -> None:
    """Gamma 0 and no alpha give binary cross entropy."""
    targets = maps(1).sigmoid()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(maps(0), targets)

    torch.testing.assert_close(expected, map_focal_loss(maps(0), targets, alpha=-1, gamma=0))


def test_cells_of_weight_zero_leave_the_mean() -> None:
    """Unknown points have no gradient and do not water down the others."""
    targets = maps(1).sigmoid()
    weights = torch.ones(2, 3, 1, 1)
    weights[1] = 0
    logits = maps(0).requires_grad_()

    loss = map_focal_loss(logits, targets, weights=weights)
    loss.backward()

    torch.testing.assert_close(map_focal_loss(maps(0)[:1], targets[:1]), loss.detach())
    assert torch.equal(torch.zeros(3, 6, 8), logits.grad[1])


def test_nothing_known_gives_zero() -> None:
    """All weights 0 give 0, not NaN."""
    zero = torch.zeros(2, 3, 1, 1)

    assert map_focal_loss(maps(0), maps(1).sigmoid(), weights=zero) == 0
    assert map_mse_loss(maps(0), maps(1), weights=zero) == 0
    assert coordinate_loss(maps(0), torch.zeros(2, 3, 2), torch.zeros(2, 3)) == 0


def test_soft_argmax_finds_a_sharp_peak() -> None:
    """A high cell is found as (column, row)."""
    logits = torch.zeros(1, 1, 6, 8)
    logits[0, 0, 2, 5] = 50

    assert pytest.approx(soft_argmax(logits)[0, 0].tolist(), abs=1e-4) == [5.0, 2.0]


def test_coordinate_loss_is_in_shares_of_the_longer_side() -> None:
    """Four columns off on a map of eight is (1/2) squared."""
    logits = torch.zeros(1, 1, 6, 8)
    logits[0, 0, 2, 5] = 50

    loss = coordinate_loss(logits, torch.tensor([[[1.0, 2.0]]]), torch.ones(1, 1))

    assert pytest.approx(loss.item(), abs=1e-4) == 0.25


def test_mse_of_its_own_map_is_zero() -> None:
    """The sigmoid of the logits is what is compared."""
    assert map_mse_loss(maps(0), maps(0).sigmoid()) == 0
